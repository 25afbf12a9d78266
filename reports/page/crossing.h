// SPDX-License-Identifier: MIT
// Efficiency length: from where on one curve over length stays below another.
#pragma once

#include "reports/page/results.h"
#include "reports/records/statistics.h"

namespace lavo::report {

/// The shortest length from which `ours` / `theirs` stays below 1 up to the longest one, linear in
/// log(ratio) over log(length) between two lengths. -infinity: below at every length; +infinity:
/// not below at the longest. Lengths ascend; values are > 0.
double crossing(const std::vector<double>& lengths, const std::vector<double>& ours,
                const std::vector<double>& theirs);

struct EfficiencyLength {
  double value = 0;                                        ///< tokens, or an infinity as above
  std::optional<std::pair<double, double>> interval = {};  ///< 95 %, ends may be infinite; unset
                                                           ///< where no metric has samples
  double first = 0, last = 0;  ///< the range of lengths that both have measured
};

/// Of one metric, over the lengths at which both have a value; the interval is a bootstrap over the
/// blocks of both. nullopt with fewer than two such lengths.
std::optional<EfficiencyLength> efficiency_length(const Cells& ours, const Cells& theirs,
                                                  const std::string& metric);

/// The quotient a / b of two metrics with its bootstrap interval (unset where neither has samples).
Estimate ratio(const Metric& a, const Metric& b);

}  // namespace lavo::report
