// SPDX-License-Identifier: MIT
#pragma once

#include "reports/page/panels.h"
#include "reports/records/statistics.h"

namespace lavo::report {

/// A metric as a figure shows it.
struct Quantity {
  const char* metric;
  const char* name;  ///< "Peak memory"
  const char* axis;  ///< "peak memory above the inputs (MiB)"
  double factor;     ///< from the record's unit to the axis'
};

/// The exponent of a metric in length over the lengths from 2K on; nullopt with fewer than three.
std::optional<Estimate> fitted_exponent(const Cells& cells, const std::string& metric);

/// Adds the figure of one metric over length, and the table of its numbers with fitted exponents;
/// nothing where no cell has the metric.
void add_over_length(Section& section, const Panel& panel, const Quantity& quantity,
                     const char* x_title, const char* caption);

}  // namespace lavo::report
