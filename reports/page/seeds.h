// SPDX-License-Identifier: MIT
// Several runs of one configuration that differ in their seed.
#pragma once

#include "reports/page/charts.h"
#include "reports/page/html.h"
#include "reports/page/results.h"
#include "reports/records/statistics.h"

namespace lavo::report {

/// Mean over the cells that have the metric, with Student's interval; a single cell's value keeps
/// its own interval. nullopt when none has it.
std::optional<Estimate> over_seeds(const Cells& cells, const std::string& metric);

/// How over_seeds made it.
By way_of(const Estimate& estimate);

/// Mean of a - b over the seeds that both have, with Student's interval; nullopt when there are
/// none.
std::optional<Estimate> paired_difference(const Cells& a, const Cells& b,
                                          const std::string& metric);

/// A series point by point: the mean over the cells, with Student's interval.
std::vector<ChartPoint> mean_curve(const Cells& cells, const std::string& series);

}  // namespace lavo::report
