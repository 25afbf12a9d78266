// SPDX-License-Identifier: MIT
#include "reports/page/curves.h"

#include <algorithm>
#include <cmath>

#include "reports/records/statistics.h"

namespace lavo::report {
namespace {

constexpr double kFitFrom = 2048;  ///< tokens; below, fixed costs bend the curves

std::vector<Curve> curves_of(const std::vector<Variant>& rows, const std::string& metric,
                             double factor) {
  std::vector<Curve> curves;
  for (const Variant& row : rows) {
    Curve curve{row.label, row.mechanism, {}};
    for (const Cell* cell : row.cells) {
      const Metric* value = cell->metric(metric);
      if (!value) continue;
      ChartPoint point{cell->axis("length"), value->value * factor};
      if (value->ci95) {
        point.interval = std::pair{value->ci95->first * factor, value->ci95->second * factor};
      }
      curve.points.push_back(point);
    }
    std::ranges::sort(curve.points, {}, &ChartPoint::x);
    if (!curve.points.empty()) curves.push_back(std::move(curve));
  }
  return curves;
}

Table values_table(const Panel& panel, const std::vector<Variant>& rows, const std::string& metric,
                   const std::string& title) {
  Table table{title, {"mechanism"}, {}};
  std::set<double> lengths;
  for (const Cell* cell : panel.cells) lengths.insert(cell->axis("length").get<double>());
  for (const double length : lengths) table.columns.push_back(format_length(length));
  table.columns.push_back("exponent in n");
  for (const Variant& row : rows) {
    std::vector<TableCell> line = {{marked(row.mechanism, row.label)}};
    for (const double length : lengths) {
      TableCell cell{escape("–")};
      for (const Cell* each : row.cells) {
        if (each->axis("length") != length) continue;
        if (const Metric* value = each->metric(metric)) {
          cell = {number(value->value, value->ci95, value->unit), value->value};
        } else if (!each->ok()) {
          cell = {status_mark(word(each->status))};
        }
      }
      line.push_back(cell);
    }
    const auto slope = fitted_exponent(row.cells, metric);
    line.push_back(
        slope ? TableCell{number(slope->value, slope->interval, "1", By::kExponent), slope->value}
              : TableCell{escape("–")});
    table.rows.push_back(line);
  }
  return table;
}

}  // namespace

std::optional<Estimate> fitted_exponent(const Cells& cells, const std::string& metric) {
  std::vector<double> x, y;
  for (const Cell* cell : cells) {
    const Metric* value = cell->metric(metric);
    if (!value || value->value <= 0 || cell->axis("length") < kFitFrom) continue;
    x.push_back(std::log(cell->axis("length").get<double>()));
    y.push_back(std::log(value->value));
  }
  if (std::set<double>(x.begin(), x.end()).size() < 3) return std::nullopt;
  return estimate_slope(x, y);
}

void add_over_length(Section& section, const Panel& panel, const Quantity& quantity,
                     const char* x_title, const char* caption) {
  const auto curves = curves_of(panel.rows, quantity.metric, quantity.factor);
  if (curves.empty()) return;
  const std::string title = fmt::format("{}, {}", quantity.name, panel.title);
  section.blocks.push_back(
      Figure{slug(title), title,
             line_chart({x_title, Scale::kTokens}, {quantity.axis, Scale::kLog}, curves),
             escape(caption), panel.origin});
  section.blocks.push_back(values_table(panel, panel.rows, quantity.metric, title));
}

}  // namespace lavo::report
