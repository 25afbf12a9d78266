// SPDX-License-Identifier: MIT
#include "reports/page/labels.h"

#include <algorithm>

namespace lavo::report {
namespace {

/// An option's default; null, which no option that is set equals, where the record does not say.
json default_of(const Cell& cell, const std::string& option) {
  return cell.facts ? cell.facts->at("options").value(option, json()) : json();
}

std::string axis_in_words(const std::string& axis, const json& value) {
  if (axis != "position_encoding") return fmt::format("{} {}", axis, axis_text(value));
  return value == "none" ? "no position encoding" : axis_text(value);
}

}  // namespace

Labels::Labels(const Cells& cells, const std::set<std::string>& apart) : apart_(apart) {
  std::map<std::string, int> total;
  std::map<std::string, const Cell*> example;
  std::map<std::string, std::map<std::string, std::map<json, int>>> counts;
  for (const Cell* cell : cells) {
    ++total[cell->mechanism()];
    example[cell->mechanism()] = cell;
    for (const auto& [name, value] : cell->axes.items()) ++counts[cell->mechanism()][name][value];
  }
  for (const auto& [mechanism, axes] : counts) {
    for (const auto& [axis, values] : axes) {
      const auto most =
          std::ranges::max_element(values, {}, [](const auto& v) { return v.second; });
      const json value = default_of(*example.at(mechanism), axis);
      if (values.contains(value)) {
        usual_[mechanism][axis] = value;
      } else if (2 * most->second > total[mechanism]) {
        usual_[mechanism][axis] = most->first;
      }
    }
  }
}

std::string Labels::operator()(const Cell& cell) const {
  std::string label = cell.mechanism();
  const auto usual = usual_.find(label);
  for (const auto& [name, value] : cell.axes.items()) {
    if (name == "mechanism" || apart_.contains(name)) continue;
    if (usual != usual_.end()) {
      const auto found = usual->second.find(name);
      if (found != usual->second.end() && found->second == value) continue;
    }
    label += ", " + axis_in_words(name, value);
  }
  return label;
}

}  // namespace lavo::report
