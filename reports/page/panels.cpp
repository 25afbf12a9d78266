// SPDX-License-Identifier: MIT
#include "reports/page/panels.h"

#include <algorithm>

namespace lavo::report {
namespace {

const std::vector<std::string> kConditions = {"causal", "pass",     "cross",  "dtype",  "batch",
                                              "heads",  "head_dim", "device", "threads"};

std::set<double> lengths_of(const Cells& cells) {
  std::set<double> lengths;
  for (const Cell* cell : cells) lengths.insert(cell->axis("length").get<double>());
  return lengths;
}

/// Variants at one length only belong to another figure (bases times window): dropped, and the rest
/// named anew without them; where there is only one length, all stay.
std::vector<Variant> rows_over_length(const Cells& cells) {
  std::set<std::string> apart = length_again(cells);
  apart.insert(kConditions.begin(), kConditions.end());
  apart.insert({"length", "seed"});
  Cells kept;
  for (const Variant& row : variants(cells, apart)) {
    if (lengths_of(row.cells).size() > 1)
      kept.insert(kept.end(), row.cells.begin(), row.cells.end());
  }
  return variants(kept.empty() ? cells : kept, apart);
}

}  // namespace

const Variant* Panel::row(const std::string& mechanism) const {
  const auto found = std::ranges::find(rows, mechanism, &Variant::mechanism);
  return found == rows.end() ? nullptr : &*found;
}

std::vector<Panel> efficiency_panels(const Results& results) {
  const Cells all = select(results, [](const Cell& cell) {
    return cell.experiment == "efficiency" && cell.axis("length").is_number();
  });
  const std::set<std::string> varying = varying_axes(all);
  std::vector<std::string> named;
  for (const std::string axis :
       {"pass", "causal", "cross", "dtype", "batch", "heads", "head_dim", "device", "threads"}) {
    if (varying.contains(axis)) named.push_back(axis);
  }
  std::vector<Panel> panels;
  for (const auto& [key, cells] : split(all, kConditions)) {
    Panel panel{describe(*cells.front(), named.empty() ? std::vector<std::string>{"pass"} : named),
                {},
                cells,
                rows_over_length(cells)};
    if (panel.rows.empty()) continue;
    panel.origin = origin_of(results, cells, named);
    panels.push_back(std::move(panel));
  }
  std::ranges::stable_sort(panels, [](const Panel& a, const Panel& b) {
    const auto order = [](const Panel& panel) {
      const json causal = panel.cells.front()->axis("causal");
      const std::string pass = axis_text(panel.cells.front()->axis("pass"));
      return std::pair(causal == json(false), pass == "forward"            ? 0
                                              : pass == "forward_backward" ? 1
                                                                           : 2);
    };
    return order(a) < order(b);
  });
  return panels;
}

}  // namespace lavo::report
