// SPDX-License-Identifier: MIT
// Rounding error over length for each type, that of the running mean alone, and the distance of
// random features from softmax attention.
#include <algorithm>

#include "reports/page/sections.h"
#include "reports/page/seeds.h"

namespace lavo::report {
namespace {

/// The axes that a figure shows otherwise, and those that say the length again.
std::set<std::string> apart_from(const Cells& cells, std::set<std::string> shown) {
  shown.merge(length_again(cells));
  return shown;
}

/// The error's curve of each variant, from its longest cell: one run holds every shorter position.
std::vector<Curve> error_curves(const Cells& cells, const std::set<std::string>& apart) {
  std::vector<Curve> curves;
  for (const Variant& row : variants(cells, apart)) {
    const Cell* longest = *std::ranges::max_element(row.cells, {}, [](const Cell* cell) {
      const Series* curve = cell->curve("error");
      return curve && !curve->points.empty() ? curve->points.back().first : 0.0;
    });
    Curve curve{row.label, row.mechanism, {}};
    if (const Series* error = longest->curve("error")) {
      for (const auto& [x, y] : error->points) {
        if (x > 1) curve.points.push_back({x, y});  // the first output is the first value
      }
    }
    if (curve.points.size() > 1) curves.push_back(std::move(curve));
  }
  return curves;
}

Table worst_errors(const Cells& cells, const std::string& title) {
  Table table{title, {"mechanism", "type", "length", "worst error", "allowed"}, {}};
  for (const Variant& row :
       variants(cells, apart_from(cells, {"seed", "length", "dtype", "measure"}))) {
    for (const Cell* cell : row.cells) {
      const Metric* worst = cell->metric("worst_error");
      if (!worst) continue;
      const Metric* allowed = cell->metric("allowed_error");
      const json length = cell->axis("length");
      table.rows.push_back({{marked(row.mechanism, row.label)},
                            {escape(axis_text(cell->axis("dtype")))},
                            length.is_number() ? TableCell{tokens(length), length.get<double>()}
                                               : TableCell{escape("–")},
                            {number(worst->value, worst->unit), worst->value},
                            allowed
                                ? TableCell{number(allowed->value, allowed->unit), allowed->value}
                                : TableCell{escape("–")}});
    }
  }
  return table;
}

void add_errors(Section& section, const Results& results, const Cells& cells,
                const std::string& title) {
  const auto curves = error_curves(cells, apart_from(cells, {"seed", "length", "measure"}));
  if (!curves.empty()) {
    section.blocks.push_back(
        Figure{slug("error " + title), title,
               line_chart({"position (tokens)", Scale::kTokens},
                          {"error relative to float64", Scale::kLog}, curves),
               escape("Against the float64 reference on the same rounded inputs. An error that "
                      "grows with the position would mean that a sum loses digits. Exact "
                      "zeros and the first token, whose output is its own value, are left out."),
               origin_of(results, cells, {})});
  }
  Table table = worst_errors(cells, title);
  if (!table.rows.empty()) section.blocks.push_back(std::move(table));
}

void add_softmax_distance(Section& section, const Results& results, const Cells& cells) {
  std::vector<Curve> curves;
  Table table{
      "Distance from softmax attention", {"mechanism", "scale", "relative distance", "seeds"}, {}};
  for (const Variant& row : variants(cells, {"seed", "scale", "measure"})) {
    Curve curve{row.label, row.mechanism, {}};
    for (const auto& [scale, part] : split(row.cells, {"scale"})) {
      const auto error = over_seeds(part, "softmax_error");
      if (!error || !scale.front().is_number()) continue;
      curve.points.push_back({scale.front(), error->value, error->interval});
      const auto count = static_cast<double>(part.size());
      table.rows.push_back(
          {{marked(row.mechanism, row.label)},
           {number(scale.front(), "1"), scale.front().get<double>()},
           {number(error->value, error->interval, "1", way_of(*error)), error->value},
           {number(count, "1", By::kCount), count}});
    }
    if (curve.points.size() > 1) curves.push_back(std::move(curve));
  }
  if (!curves.empty()) {
    section.blocks.push_back(Figure{
        "softmax-distance", "Distance from softmax attention over the scale of queries and keys",
        line_chart({"standard deviation of queries and keys", Scale::kLog},
                   {"relative distance (Frobenius norm)", Scale::kLog}, curves),
        escape("Mean over seeds with its 95 % interval."), origin_of(results, cells, {})});
  }
  if (!table.rows.empty()) section.blocks.push_back(std::move(table));
}

}  // namespace

std::vector<Section> numerics(const Results& results) {
  Section section{"numerics", "Numerics", {}, {}};
  const auto measured = [&](const std::string& measure) {
    return select(results, [&](const Cell& cell) {
      return cell.ok() && cell.experiment == "numerics" && cell.axis("measure") == json(measure);
    });
  };
  for (const auto& [type, cells] : split(measured("output"), {"dtype"})) {
    add_errors(section, results, cells, "Error of the output, " + axis_text(type.front()));
  }
  if (const Cells cells = measured("running_mean"); !cells.empty()) {
    add_errors(section, results, cells, "Error of the running mean");
  }
  if (const Cells cells = measured("softmax"); !cells.empty())
    add_softmax_distance(section, results, cells);
  if (section.blocks.empty()) return {};
  return {section};
}

}  // namespace lavo::report
