// SPDX-License-Identifier: MIT
// What match_state_bytes of a sweep gave each mechanism, so that their states are of one size.
#include "reports/page/sections.h"

namespace lavo::report {
namespace {

TableCell bytes_cell(const json& bytes) { return {number(bytes, "B"), bytes.get<double>()}; }

}  // namespace

std::vector<Section> matched_states(const Results& results) {
  Table table{
      "States sized by match_state_bytes: each number counted as 4 bytes, whatever holds it",
      {"mechanism", "experiment", "asked for", "solved for", "counted", "ratio", "as held"},
      {}};
  std::set<json> shown;  // cells that differ in length or seed say it again
  for (const Cell& cell : results.cells) {
    for (const json& state : cell.matched_state) {
      if (!shown.insert(json::array({cell.mechanism(), cell.experiment, state})).second) continue;
      const json& ratio = state.at("ratio");
      table.rows.push_back({{marked(cell.mechanism(), cell.mechanism())},
                            {escape(cell.experiment)},
                            bytes_cell(state.at("budget_bytes")),
                            {escape(fmt::format("{} {}", state.at("by").get<std::string>(),
                                                state.at("value").get<int64_t>()))},
                            bytes_cell(state.at("counted_bytes")),
                            {number(ratio, "1"), ratio.get<double>()},
                            bytes_cell(state.at("true_bytes"))});
    }
  }
  if (table.rows.empty()) return {};
  return {{"matched-states", "States of equal size", {table}, {}}};
}

}  // namespace lavo::report
