// SPDX-License-Identifier: MIT
// What did not end well, and what was measured badly.
#include "reports/page/sections.h"

namespace lavo::report {
namespace {

constexpr double kUnstable = 0.1;  ///< an interval wider than this part of the value is unstable

}  // namespace

std::vector<Section> problems(const Results& results) {
  Section section{"problems", "Failed, skipped and unstable", {}, {}};
  Table counts{"How the cells ended", {"status", "cells"}, {}};
  std::map<Status, int> statuses;
  for (const Cell& cell : results.cells) ++statuses[cell.status];
  for (const auto& [status, count] : statuses) {
    counts.rows.push_back(
        {{escape(word(status))}, {number(count, "1", By::kCount), static_cast<double>(count)}});
  }
  section.blocks.push_back(counts);
  Html text = number(statuses[Status::kOk], "1", By::kCount) + " of "_html +
              number(static_cast<double>(results.cells.size()), "1", By::kCount) +
              " cells have a result"_html;
  for (const auto& [status, count] : statuses) {
    if (status != Status::kOk)
      text += ", "_html + number(count, "1", By::kCount) + escape(" " + word(status));
  }
  section.findings.push_back(text + " (<a href=\"#problems\">why</a>)."_html);

  const Cells failed = select(results, [](const Cell& cell) { return !cell.ok(); });
  if (!failed.empty()) {
    Table table{"Cells without a result", {"cell", "experiment", "status", "reason", "id"}, {}};
    for (const auto& [experiment, cells] : split(failed, {})) {
      for (const Variant& variant : variants(cells, {})) {
        for (const Cell* cell : variant.cells) {
          table.rows.push_back({{marked(variant.mechanism, variant.label)},
                                {escape(cell->experiment)},
                                {escape(word(cell->status))},
                                {escape(cell->reason)},
                                {"<code>"_html + escape(cell->id) + "</code>"_html}});
        }
      }
    }
    section.blocks.push_back(table);
  }

  Table unstable{"Timings whose 95 % interval is wider than 10 % of the value",
                 {"cell", "metric", "value"},
                 {}};
  for (const auto& variant :
       variants(select(results, [](const Cell& cell) { return cell.ok(); }), {})) {
    for (const Cell* cell : variant.cells) {
      for (const auto& [name, metric] : cell->metrics) {
        if (metric.kind != Kind::kTiming || !metric.ci95) continue;
        if (metric.ci95->second - metric.ci95->first <= kUnstable * metric.value) continue;
        unstable.rows.push_back({{marked(variant.mechanism, variant.label)},
                                 {escape(name)},
                                 {number(metric.value, metric.ci95, metric.unit), metric.value}});
      }
    }
  }
  if (!unstable.rows.empty()) section.blocks.push_back(unstable);
  return {section};
}

}  // namespace lavo::report
