// SPDX-License-Identifier: MIT
#pragma once

#include "reports/page/sections.h"

namespace lavo::report {

/// Cells of the efficiency experiment under equal conditions (pass, pattern, type, sizes, device):
/// they may be compared over length.
struct Panel {
  std::string title;  ///< "forward, causal": the conditions that differ between panels
  Origin origin;
  Cells cells;
  std::vector<Variant> rows;  ///< those measured at two lengths or more, where any is

  bool is_decode() const { return cells.front()->axis("pass") == "decode"; }
  /// nullptr when the mechanism is not among the rows.
  const Variant* row(const std::string& mechanism) const;
};

/// Forward first.
std::vector<Panel> efficiency_panels(const Results& results);

}  // namespace lavo::report
