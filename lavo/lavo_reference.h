// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/lavo_options.h"

namespace lavo {

struct LavoParameters {
  Tensor bases;          ///< (R, X) or (H, R, X)
  Tensor relative_bias;  ///< (H, (look_back + 2) W - 1), or undefined
  Tensor mix_logit;      ///< (H), or undefined
  Tensor temperature;    ///< (H), or undefined
};

/// The oracle: for each named row the memory is built, R rows of D numbers, and attended to by the
/// formula, in float64. `in` is float64; `options` are resolved. O(S (R + D)) for each row.
Tensor lavo_reference_rows(const Inputs& in, const LavoOptions& options,
                           const LavoParameters& parameters, const std::vector<int64_t>& rows);

/// The same of a memory with addresses alone, F_global: [B, H, rows, D]. `bases` (H or 1, R, D).
Tensor addressed_reference_rows(const Inputs& in, const LavoOptions& options, const Tensor& bases,
                                const Tensor& temperature, const std::vector<int64_t>& rows);

}  // namespace lavo
