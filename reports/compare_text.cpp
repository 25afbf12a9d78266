// SPDX-License-Identifier: MIT
// The pieces that all readable formats share.
#include <fmt/ranges.h>

#include <cmath>
#include <set>

#include "reports/cell_name.h"
#include "reports/compare_formats.h"

namespace lavo::compare {
namespace {

bool is_count(double value) { return value == std::round(value) && std::abs(value) < 1e15; }

std::string percent(double ratio) { return fmt::format("{:+.1f}", (ratio - 1) * 100); }

std::string ratio_text(double ratio, const std::optional<Interval>& interval) {
  if (ratio >= 2) {
    return interval ? fmt::format("x{:.2f} [{:.2f}, {:.2f}]", ratio, interval->low, interval->high)
                    : fmt::format("x{:.2f}", ratio);
  }
  const std::string text = percent(ratio) + " %";
  return interval
             ? fmt::format("{} [{}, {}]", text, percent(interval->low), percent(interval->high))
             : text;
}

}  // namespace

Labels short_labels(const std::vector<Row>& rows) {
  std::map<std::string, json> shared;
  bool one_experiment = true;
  for (const Row& row : rows) one_experiment &= row.experiment == rows.front().experiment;
  if (!rows.empty()) {
    for (const auto& [axis, value] : rows.front().axes.items()) shared[axis] = value;
  }
  for (const Row& row : rows) {
    std::erase_if(shared, [&](const auto& entry) {
      const auto found = row.axes.find(entry.first);
      return found == row.axes.end() || *found != entry.second;
    });
  }
  const auto text = [](const std::string& axis, const json& value) {
    return axis == "mechanism" ? axis_text(value) : axis + " " + axis_text(value);
  };
  Labels labels;
  std::vector<std::string> common;
  if (one_experiment && !rows.empty()) common.push_back(rows.front().experiment);
  for (const auto& [axis, value] : shared) common.push_back(text(axis, value));
  labels.common = fmt::format("{}", fmt::join(common, ", "));
  for (const Row& row : rows) {
    std::vector<std::string> parts;
    if (!one_experiment) parts.push_back(row.experiment);
    for (const char* axis : {"mechanism", "length", "pass"}) {
      if (row.axes.contains(axis) && !shared.contains(axis))
        parts.push_back(text(axis, row.axes.at(axis)));
    }
    for (const auto& [axis, value] : row.axes.items()) {
      const bool leads = axis == "mechanism" || axis == "length" || axis == "pass";
      if (!leads && !shared.contains(axis)) parts.push_back(text(axis, value));
    }
    labels.rows.push_back(parts.empty() ? "all" : fmt::format("{}", fmt::join(parts, ", ")));
  }
  return labels;
}

std::string value_text(const std::optional<double>& value, const Row& row) {
  if (!value) return "-";
  const std::string unit = row.unit == "1" ? "" : " " + row.unit;
  if (row.kind == "exact" && is_count(*value)) return fmt::format("{:.0f}{}", *value, unit);
  return fmt::format("{:.4g}{}", *value, unit);
}

std::string change_text(const Row& row) {
  if (!row.ratio) return "";
  const std::string relative = ratio_text(*row.ratio, row.interval);
  if (row.kind != "exact" || *row.next == *row.base) return relative;
  Row difference = row;
  difference.next = *row.next - *row.base;
  const std::string text = value_text(difference.next, row);
  return fmt::format("{}{} ({})", *difference.next > 0 ? "+" : "", text, relative);
}

std::string mean_text(const GeometricMean& mean) {
  return fmt::format("{}: {} over {} cells", mean.metric, ratio_text(mean.ratio, mean.interval),
                     mean.cells);
}

std::string builds_text(const json& base, const json& next) {
  const auto values = [](const json& builds, const std::string& field) {
    std::set<std::string> texts;
    for (const json& build : builds) {
      const auto found = build.find(field);
      if (found != build.end()) texts.insert(axis_text(*found).substr(0, 40));
    }
    return fmt::format("{}", fmt::join(texts, " and "));
  };
  std::set<std::string> fields;
  for (const json* builds : {&base, &next}) {
    for (const json& build : *builds) {
      for (const auto& [field, value] : build.items()) fields.insert(field);
    }
  }
  std::vector<std::string> parts;
  for (const std::string& field : fields) {
    const std::string before = values(base, field), after = values(next, field);
    if (before != after) parts.push_back(fmt::format("{} {} -> {}", field, before, after));
  }
  return parts.empty() ? "the same on both sides" : fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace lavo::compare
