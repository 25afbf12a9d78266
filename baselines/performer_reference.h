// SPDX-License-Identifier: MIT
#pragma once

#include "baselines/performer.h"

namespace lavo {

struct PerformerFormula {
  Tensor projection;  ///< [M, D] or [H, M, D]
  bool relu = false;
  Stabilizer stabilizer = Stabilizer::kPrefix;
  double epsilon = 0;
  double key_sum_epsilon = 0;
};

/// The named rows in float64, weight by weight. Shares no code with Performer::attend.
Tensor performer_rows(const Inputs& in, const PerformerFormula& formula,
                      const std::vector<int64_t>& rows);

}  // namespace lavo
