// SPDX-License-Identifier: MIT
#pragma once

#include "baselines/nystromformer.h"

namespace lavo {

/// The named rows in float64, one batch entry and one landmark after the other, padded tokens taken
/// out. Shares no code with Nystromformer::attend. `conv_weight` may be undefined.
Tensor nystromformer_rows(const Inputs& in, const NystromformerOptions& options,
                          const Tensor& conv_weight, const std::vector<int64_t>& rows);

}  // namespace lavo
