// SPDX-License-Identifier: MIT
#include "experiments/experiment.h"

#include <algorithm>

#include "baselines/table.h"
#include "lavo/core/check.h"

namespace lavo {

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

}  // namespace lavo
