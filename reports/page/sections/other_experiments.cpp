// SPDX-License-Identifier: MIT
// Experiments without a section of their own, one added later included: each series as curves, each
// metric as a column.
#include <algorithm>
#include <limits>

#include "reports/page/sections.h"
#include "reports/page/seeds.h"

namespace lavo::report {
namespace {

const std::set<std::string> kOwnSection = {"efficiency", "language_model", "numerics"};

AxisSpec x_axis(const std::string& name, const std::vector<Curve>& curves) {
  const bool over_tokens = name == "length" || name == "context" || name == "position";
  const bool positive =
      std::ranges::all_of(curves, [](const Curve& curve) { return curve.points.front().x > 0; });
  if (over_tokens && positive) return {name + " (tokens)", Scale::kTokens};
  return {name};
}

/// Logarithmic where positive values span a factor of 20 or more.
AxisSpec y_axis(const std::string& title, const std::vector<Curve>& curves) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const Curve& curve : curves) {
    for (const ChartPoint& point : curve.points) {
      if (point.y != 0) low = std::min(low, point.y);
      high = std::max(high, point.y);
    }
  }
  return {title, low > 0 && high > 20 * low ? Scale::kLog : Scale::kLinear};
}

std::string with_unit(const std::string& name, const std::string& unit) {
  std::string words = name;
  std::ranges::replace(words, '_', ' ');
  return unit.empty() || unit == "1" ? words : fmt::format("{} ({})", words, unit);
}

void add_series(Section& section, const Results& results, const std::vector<Variant>& rows,
                const Cells& cells) {
  std::map<std::string, const Series*> names;
  for (const Cell* cell : cells) {
    for (const auto& [name, series] : cell->series) names.emplace(name, &series);
  }
  for (const auto& [name, example] : names) {
    std::vector<Curve> curves;
    for (const Variant& row : rows) {
      auto points = mean_curve(row.cells, name);
      if (points.size() > 1) curves.push_back({row.label, row.mechanism, std::move(points)});
    }
    if (curves.empty()) continue;
    section.blocks.push_back(
        Figure{slug(section.id + " " + name), capitalised(with_unit(name, "")),
               line_chart(x_axis(example->x, curves),
                          y_axis(with_unit(name, example->unit), curves), curves),
               escape("Mean over seeds where there are several."), origin_of(results, cells, {})});
  }
}

Table metrics_table(const std::vector<Variant>& rows, const Cells& cells) {
  std::set<std::string> names;
  for (const Cell* cell : cells) {
    for (const auto& [name, metric] : cell->metrics) names.insert(name);
  }
  Table table{"Every metric", {"what"}, {}};
  for (const std::string& name : names) table.columns.push_back(with_unit(name, ""));
  for (const Variant& row : rows) {
    std::vector<TableCell> line = {{marked(row.mechanism, row.label)}};
    for (const std::string& name : names) {
      const auto estimate = over_seeds(row.cells, name);
      if (!estimate) {
        line.push_back({escape("–")});
        continue;
      }
      const auto has = std::ranges::find_if(
          row.cells, [metric = name](const Cell* cell) { return cell->metric(metric); });
      line.push_back({number(estimate->value, estimate->interval, (*has)->metric(name)->unit,
                             way_of(*estimate)),
                      estimate->value});
    }
    table.rows.push_back(line);
  }
  return table;
}

}  // namespace

std::vector<Section> other_experiments(const Results& results) {
  std::vector<Section> sections;
  const Cells cells = select(results, [](const Cell& cell) {
    return cell.ok() && !kOwnSection.contains(cell.experiment);
  });
  std::map<std::string, Cells> by_experiment;
  for (const Cell* cell : cells) by_experiment[cell->experiment].push_back(cell);
  for (const auto& [experiment, part] : by_experiment) {
    Section section{slug(experiment), capitalised(with_unit(experiment, "")), {}, {}};
    const auto rows = variants(part, {"seed"});
    add_series(section, results, rows, part);
    section.blocks.push_back(metrics_table(rows, part));
    sections.push_back(std::move(section));
  }
  return sections;
}

}  // namespace lavo::report
