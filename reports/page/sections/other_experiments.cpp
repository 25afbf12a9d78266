// SPDX-License-Identifier: MIT
// Experiments without a section of their own, one added later included: accuracies beside what chance
// gives, each series as curves, each metric as a column.
#include <algorithm>
#include <limits>

#include "reports/page/roles.h"
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

/// Logarithmic where positive values span a factor of 20 or more, but for shares.
AxisSpec y_axis(const std::string& title, const std::vector<Curve>& curves) {
  if (title == "accuracy") return {title};
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

/// Cells that stand in one figure, and what sets them apart from the other figures'.
struct Part {
  std::string title;  ///< "pairs 64", or "" where there is one part
  std::vector<Variant> rows;
  Cells cells;
  Origin origin;

  std::string titled(const std::string& text) const {
    return title.empty() ? text : text + ", " + title;
  }
};

/// Axes of the experiment itself that some mechanism has in several values: sizes of the task.
std::vector<std::string> part_axes(const Cells& cells) {
  const std::set<std::string> options = option_names(cells);
  std::set<std::string> axes;
  for (const auto& [mechanism, own] : split(cells, {"mechanism"})) {
    for (const std::string& axis : varying_axes(own)) {
      if (axis != "seed" && !options.contains(axis)) axes.insert(axis);
    }
  }
  return {axes.begin(), axes.end()};
}

std::vector<Part> parts_of(const Results& results, const Cells& cells) {
  const std::vector<std::string> axes = part_axes(cells);
  std::set<std::string> apart(axes.begin(), axes.end());
  apart.insert("seed");
  std::vector<Part> parts;
  for (const auto& [key, own] : split(cells, axes)) {
    parts.push_back(
        {describe(*own.front(), axes), variants(own, apart), own, origin_of(results, own, axes)});
  }
  return parts;
}

/// Bars of the accuracy, the best first, where the records say what chance gives; and a sentence.
void add_accuracy(Section& section, const Part& part) {
  const Metric* chance = part.cells.front()->metric("chance");
  std::vector<std::pair<const Variant*, Estimate>> rows;
  for (const Variant& row : part.rows) {
    if (const auto accuracy = over_seeds(row.cells, "accuracy")) rows.emplace_back(&row, *accuracy);
  }
  if (!chance || rows.empty()) return;
  std::ranges::stable_sort(rows, std::greater{}, [](const auto& row) { return row.second.value; });
  std::vector<Bar> bars;
  for (const auto& [row, accuracy] : rows) {
    bars.push_back({row->label, row->mechanism, accuracy.value, accuracy.interval});
  }
  section.blocks.push_back(
      Figure{slug(part.titled(section.id + " accuracy bars")), part.titled("Accuracy"),
             bar_chart({"accuracy, higher is better"}, bars, {{chance->value, "chance"}}),
             escape("Mean over seeds with its 95 % interval; the line is what guessing gives."),
             part.origin});
  const auto told = [](const auto& row) {
    return marked(row.first->mechanism, row.first->label) + " "_html +
           number(row.second.value, row.second.interval, "1", way_of(row.second));
  };
  Html text = escape(part.titled(section.title)) + ": the best accuracy is that of "_html +
              told(rows.front());
  const auto subject =
      std::ranges::find_if(rows, [](const auto& row) { return row.first->mechanism == kSubject; });
  if (subject != rows.begin() && subject != rows.end()) {
    text += escape(fmt::format("; the best of {} is ", kSubjectInWords)) + told(*subject);
  }
  section.findings.push_back(text + "; chance gives "_html + number(chance->value, "1") + "."_html);
}

void add_series(Section& section, const Part& part) {
  std::map<std::string, const Series*> names;
  for (const Cell* cell : part.cells) {
    for (const auto& [name, series] : cell->series) names.emplace(name, &series);
  }
  for (const auto& [name, example] : names) {
    std::vector<Curve> curves;
    for (const Variant& row : part.rows) {
      auto points = mean_curve(row.cells, name);
      if (points.size() > 1) curves.push_back({row.label, row.mechanism, std::move(points)});
    }
    if (curves.empty()) continue;
    section.blocks.push_back(
        Figure{slug(part.titled(section.id + " " + name)),
               part.titled(capitalised(with_unit(name, "")) + " over " + example->x),
               line_chart(x_axis(example->x, curves),
                          y_axis(with_unit(name, example->unit), curves), curves),
               escape("Mean over seeds where there are several."), part.origin});
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
  for (const auto& [experiment, own] : by_experiment) {
    Section section{slug(experiment), capitalised(with_unit(experiment, "")), {}, {}};
    const std::vector<Part> parts = parts_of(results, own);
    for (const Part& part : parts) add_accuracy(section, part);
    for (const Part& part : parts) add_series(section, part);
    section.blocks.push_back(metrics_table(variants(own, {"seed"}), own));
    sections.push_back(std::move(section));
  }
  return sections;
}

}  // namespace lavo::report
