// SPDX-License-Identifier: MIT
#include "experiments/experiment.h"

#include <algorithm>

#include "baselines/table.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

void collect_later(const std::vector<OptionInfo>& declared, const json& axes,
                   std::vector<std::string>& names) {
  for (const OptionInfo& info : declared) {
    if (info.later && axes.contains(info.name)) names.push_back(info.name);
  }
}

/// What the axes become without one of these; null where the others need it.
json resolved_without(const Experiment& experiment, json axes,
                      const std::vector<std::string>& names) {
  for (const std::string& name : names) axes.erase(name);
  try {
    return experiment.resolve(axes);
  } catch (const std::exception&) {
    return {};
  }
}

/// Without those of `later` that are what they become when they are not given: that may depend on
/// the other axes, so it is asked, first of all of them (most cells), then of each. What is left
/// always resolves to the axes.
json without_defaults(const Experiment& experiment, const json& axes,
                      const std::vector<std::string>& later) {
  json rest = axes;
  for (const std::string& name : later) rest.erase(name);
  if (resolved_without(experiment, axes, later) == axes) return rest;
  for (const std::string& name : later) {
    const json by_default = resolved_without(experiment, axes, {name});
    if (by_default.is_null() || axes[name] != by_default.value(name, json())) {
      rest[name] = axes[name];
    }
  }
  return resolved_without(experiment, rest, {}) == axes ? rest : axes;
}

}  // namespace

SplitAxes split_axes(const std::string& experiment, const std::vector<OptionInfo>& own,
                     const json& given) {
  SplitAxes split{json::object(), json::object()};
  std::string mechanism;
  for (const OptionInfo& info : own) {
    if (info.name != "mechanism") continue;
    const json value = given.value("mechanism", info.default_value);
    require_option(value.is_string(), info.name, "{}: axis 'mechanism' must be text, got {}",
                   experiment, value.dump());
    mechanism = value.get<std::string>();
  }
  const Entry& entry = find_mechanism(mechanism);
  std::vector<std::string> known;
  for (const OptionInfo& info : own) known.push_back(info.name);
  for (const OptionInfo& info : entry.options) known.push_back(info.name);
  for (const auto& [name, value] : given.items()) {
    if (std::ranges::find(own, name, &OptionInfo::name) != own.end()) {
      split.own[name] = value;
    } else if (std::ranges::find(entry.options, name, &OptionInfo::name) != entry.options.end()) {
      split.options[name] = value;
    } else if (!is_mechanism_option(name)) {
      throw OptionError(fmt::format("{}: {}", experiment, unknown_name("axis", name, known)), name);
    }
  }
  return split;
}

void add_module(json& identity, const json& axes) {
  for (const Entry& entry : mechanisms()) {
    if (axes.value("mechanism", json()) != entry.name || entry.module.is_null()) continue;
    identity["module"] = entry.module.at("sha256");
  }
}

json lasting_axes(const Experiment& experiment, const json& axes) {
  std::vector<std::string> later;
  collect_later(experiment.axes(), axes, later);
  for (const Entry& entry : mechanisms()) {
    if (axes.value("mechanism", json()) == entry.name) collect_later(entry.options, axes, later);
  }
  return later.empty() ? axes : without_defaults(experiment, axes, later);
}

}  // namespace lavo
