// SPDX-License-Identifier: MIT
// No timing of a wrong result: what is checked before a clock is started.
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

struct Check {
  std::vector<int64_t> rows;  ///< query rows that were compared
  double error = 0;           ///< of the worst row, relative
  double allowed = 0;
  bool passed() const { return error <= allowed; }  // NaN and infinity do not pass
};

/// Rows of `output` (B,H,T,E) against the mechanism's float64 reference for these inputs. Where the
/// bound of the type is missed, what inputs wrong by that bound do to the reference is allowed too.
Check check_output(Mechanism& mechanism, const Inputs& in, const Tensor& output,
                   const std::vector<int64_t>& rows);

/// Gradients of the inputs and parameters against autograd through the float64 reference, for a
/// loss that weighs the named output rows at random. The error of a row is relative to its own
/// norm, or to the root mean square norm of the rows of its tensor where that is larger. Where the
/// bound of the type is missed but the same code in float64 is right, three digits are enough.
Check check_gradients(Mechanism& mechanism, const Inputs& in, const std::vector<int64_t>& rows,
                      uint64_t seed);

}  // namespace lavo
