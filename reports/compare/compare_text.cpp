// SPDX-License-Identifier: MIT
// The pieces that all readable formats share.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "reports/compare/compare_formats.h"
#include "reports/records/cell_name.h"

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
  // An axis tells rows apart when it varies among those of one mechanism: what always goes with a
  // mechanism need not be said beside its name.
  std::map<std::string, std::map<std::string, std::set<json>>> values;  // mechanism, axis
  std::map<std::string, std::set<json>> everywhere;
  std::map<std::string, size_t> counts;
  std::set<std::string> experiments;
  const auto mechanism = [](const Row& row) {
    return row.axes.contains("mechanism") ? axis_text(row.axes.at("mechanism")) : "";
  };
  for (const Row& row : rows) {
    experiments.insert(row.experiment);
    for (const auto& [axis, value] : row.axes.items()) {
      values[mechanism(row)][axis].insert(value);
      everywhere[axis].insert(value);
      ++counts[axis];
    }
  }
  const auto text = [](const std::string& axis, const json& value) {
    return axis == "mechanism" ? axis_text(value) : axis + " " + axis_text(value);
  };
  std::vector<std::string> common;
  if (experiments.size() == 1) common.push_back(*experiments.begin());
  for (const auto& [axis, seen] : everywhere) {
    if (seen.size() == 1 && counts[axis] == rows.size())
      common.push_back(text(axis, *seen.begin()));
  }
  Labels labels{fmt::format("{}", fmt::join(common, ", ")), {}};
  for (const Row& row : rows) {
    std::vector<std::string> parts;
    if (experiments.size() > 1) parts.push_back(row.experiment);
    const auto add = [&](const std::string& axis, const json& value) {
      const bool apart = axis == "mechanism" ? everywhere[axis].size() > 1
                                             : values[mechanism(row)][axis].size() > 1;
      if (apart) parts.push_back(text(axis, value));
    };
    for (const char* axis : kLeadingAxes) {
      if (row.axes.contains(axis)) add(axis, row.axes.at(axis));
    }
    for (const auto& [axis, value] : row.axes.items()) {
      if (std::ranges::find(kLeadingAxes, axis) == kLeadingAxes.end()) add(axis, value);
    }
    if (parts.empty()) parts.push_back(mechanism(row).empty() ? row.experiment : mechanism(row));
    labels.rows.push_back(fmt::format("{}", fmt::join(parts, ", ")));
  }
  return labels;
}

std::string value_text(const std::optional<double>& value, const std::string& unit,
                       const Row& row) {
  if (!value) return "-";
  const std::string shown = unit.empty() || unit == "1" ? "" : " " + unit;
  if (row.kind == Kind::kExact && is_count(*value)) return fmt::format("{:.0f}{}", *value, shown);
  return fmt::format("{:.4g}{}", *value, shown);
}

std::string change_text(const Row& row) {
  if (!row.ratio) return "";
  const std::string relative = ratio_text(*row.ratio, row.interval);
  if (row.kind != Kind::kExact || *row.next == *row.base) return relative;
  Row difference = row;
  difference.next = *row.next - *row.base;
  const std::string text = value_text(difference.next, row.unit, row);
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
