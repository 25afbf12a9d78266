// SPDX-License-Identifier: MIT
#pragma once

#include "reports/page/results.h"

namespace lavo::report {

/// Names each variant of a mechanism by what sets it apart: "lavo", "lavo, window 8". An option's
/// usual value goes without saying: its default where a cell has it, else the one that more than
/// half of the mechanism's cells have.
class Labels {
 public:
  /// `apart`: axes that a figure shows otherwise (its x axis, its panels, the seed).
  Labels(const Cells& cells, const std::set<std::string>& apart);
  std::string operator()(const Cell& cell) const;

 private:
  std::set<std::string> apart_;
  std::map<std::string, std::map<std::string, json>> usual_;  ///< mechanism -> axis -> value
};

}  // namespace lavo::report
