// SPDX-License-Identifier: MIT
#include "reports/records/setups.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "lavo/core/check.h"
#include "reports/records/cell_name.h"

namespace lavo {
namespace {

/// Fields of machine and build with the value in each setup, where they differ.
std::map<std::string, std::vector<json>> differing_fields(const std::vector<Setup>& setups) {
  std::map<std::string, std::vector<json>> fields;
  for (size_t i = 0; i < setups.size(); ++i) {
    for (const json* part : {&setups[i].machine, &setups[i].build}) {
      for (const auto& [name, value] : part->items()) {
        auto& values = fields[name];
        values.resize(setups.size());
        values[i] = value;
      }
    }
  }
  std::erase_if(fields, [](const auto& field) {
    return std::ranges::all_of(field.second,
                               [&](const json& value) { return value == field.second.front(); });
  });
  return fields;
}

}  // namespace

std::vector<Setup> setups_of(const json& environments) {
  std::vector<Setup> setups;
  for (const auto& [id, environment] : environments.items()) {
    const Setup setup{environment.value("machine", json::object()),
                      environment.value("build", json::object()),
                      {}};
    auto found = std::ranges::find_if(setups, [&](const Setup& other) {
      return other.machine == setup.machine && other.build == setup.build;
    });
    if (found == setups.end()) found = setups.insert(found, setup);
    found->environments.insert(id);
  }
  return setups;
}

std::string difference_text(const std::vector<Setup>& setups) {
  if (setups.size() < 2) return "";
  std::vector<std::string> parts;
  for (const auto& [name, values] : differing_fields(setups)) {
    std::set<std::string> texts;
    for (const json& value : values) texts.insert(axis_text(value));
    parts.push_back(fmt::format("{} {}", name, fmt::join(texts, " and ")));
  }
  return on_one_line(fmt::format(
      "measured on {} different machines or by different builds, whose numbers are not compared "
      "with each other: {}",
      setups.size(), fmt::join(parts, "; ")));
}

std::string setup_name(const std::vector<Setup>& setups, size_t which) {
  std::vector<std::string> parts;
  for (const auto& [name, values] : differing_fields(setups)) {
    parts.push_back(fmt::format("{} {}", name, axis_text(values[which])));
  }
  return on_one_line(fmt::format("{}", fmt::join(parts, ", ")));
}

}  // namespace lavo
