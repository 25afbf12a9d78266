// SPDX-License-Identifier: MIT
// Everything about one length, 8K tokens where it was measured: the length at which papers quote
// speed-ups.
#include <algorithm>

#include "reports/page/crossing.h"
#include "reports/page/panels.h"
#include "reports/page/roles.h"

namespace lavo::report {
namespace {

constexpr double kQuoted = 8192;

/// The quoted length where fused attention was measured there, else the longest one below it, else
/// the shortest. Unset without such a row.
std::optional<double> length_to_quote(const Panel& panel) {
  std::optional<double> best;
  for (const Cell* cell : panel.cells) {
    const double length = cell->axis("length");
    if (cell->mechanism() != kFused.mechanism || !cell->metric("time")) continue;
    const auto worse = [](double n) { return std::pair(n > kQuoted, std::abs(n - kQuoted)); };
    if (!best || worse(length) < worse(*best)) best = length;
  }
  return best;
}

const Cell* at(const Variant* row, double length) {
  if (!row) return nullptr;
  const auto found = std::ranges::find_if(
      row->cells, [&](const Cell* cell) { return cell->axis("length") == length; });
  return found == row->cells.end() ? nullptr : *found;
}

TableCell quotient(const Cell* base, const Cell& own, const std::string& metric) {
  const Metric* a = base ? base->metric(metric) : nullptr;
  const Metric* b = own.metric(metric);
  if (!a || !b || a == b || b->value == 0) return {escape("–")};
  const Estimate estimate = ratio(*a, *b);
  return {number(estimate.value, estimate.interval, "x", By::kRatio), estimate.value};
}

TableCell plain(const Cell& cell, const std::string& metric) {
  const Metric* value = cell.metric(metric);
  if (!value) return {escape("–")};
  return {number(value->value, value->ci95, value->unit), value->value};
}

}  // namespace

std::vector<Section> speed_up(const Results& results) {
  Section section{"speed-up", "Speed-up at one length", {}, {}};
  Claims claims;
  for (const Panel& panel : efficiency_panels(results)) {
    const auto length = length_to_quote(panel);
    if (panel.is_decode() || !length) continue;
    const Cell* fused = at(panel.row(kFused.mechanism), *length);
    const Cell* math = at(panel.row(kMath.mechanism), *length);
    Table table{fmt::format("{} tokens, {}", format_length(*length), panel.title),
                {"mechanism", "time", "speed-up over fused", "over math", "peak memory",
                 "fused needs", "math needs", "worst error"},
                {}};
    for (const Variant& row : panel.rows) {
      const Cell* cell = at(&row, *length);
      if (!cell) continue;
      if (!cell->ok()) {
        table.rows.push_back(
            {{marked(row.mechanism, row.label)}, {status_mark(word(cell->status))}});
        table.rows.back().resize(table.columns.size());
        continue;
      }
      table.rows.push_back({{marked(row.mechanism, row.label)},
                            plain(*cell, "time"),
                            quotient(fused, *cell, "time"),
                            quotient(math, *cell, "time"),
                            plain(*cell, "peak_memory"),
                            quotient(fused, *cell, "peak_memory"),
                            quotient(math, *cell, "peak_memory"),
                            plain(*cell, "worst_error")});
      if (row.mechanism == kSubject && cell->metric("time") && fused) {
        const Estimate gain = ratio(*fused->metric("time"), *cell->metric("time"));
        claims.add(
            escape(fmt::format("At {} tokens ", format_length(*length))) +
                marked(row.mechanism, row.label) +
                " runs at this multiple of the speed of fused attention"_html,
            number(gain.value, gain.interval, "x", By::kRatio) + escape(" (" + panel.title + ")"));
      }
    }
    section.blocks.push_back(table);
  }
  section.findings = claims.sentences();
  if (section.blocks.empty()) return {};
  return {section};
}

}  // namespace lavo::report
