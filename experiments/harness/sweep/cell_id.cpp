// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/cell_id.h"

#include <algorithm>

#include "baselines/table.h"
#include "lavo/core/sha256.h"

namespace lavo {
namespace {

void collect_later(const std::vector<OptionInfo>& declared, const json& axes,
                   std::vector<std::string>& names) {
  for (const OptionInfo& info : declared) {
    if (info.later && axes.contains(info.name)) names.push_back(info.name);
  }
}

/// Without those of `later` that are what they become when they are not given: that may depend on
/// the other axes, so it is asked.
json without_defaults(const Experiment& experiment, const json& axes,
                      const std::vector<std::string>& later) {
  json rest = axes;
  for (const std::string& name : later) rest.erase(name);
  json by_default;
  try {
    by_default = experiment.resolve(rest);
  } catch (const std::exception&) {  // the others need it: it is no default
    return axes;
  }
  for (const std::string& name : later) {
    if (axes[name] != by_default.value(name, json())) rest[name] = axes[name];
  }
  return rest;
}

}  // namespace

std::string cell_id(const Experiment& experiment, const json& axes,
                    const std::string& data_digest) {
  std::vector<std::string> later;
  collect_later(experiment.axes(), axes, later);
  json module;
  for (const Entry& entry : mechanisms()) {
    if (axes.value("mechanism", json()) != entry.name) continue;
    collect_later(entry.options, axes, later);
    module = entry.module;
  }
  json identity = {{"experiment", experiment.name()},
                   {"spec_version", experiment.spec_version()},
                   {"axes", later.empty() ? axes : without_defaults(experiment, axes, later)},
                   {"data", data_digest}};
  if (!module.is_null()) identity["module"] = module.at("sha256");
  return sha256(identity.dump()).substr(0, 16);
}

}  // namespace lavo
