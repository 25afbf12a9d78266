// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/overrides.h"

#include <algorithm>

#include "experiments/data/data_sets.h"
#include "experiments/harness/sweep/limits.h"
#include "lavo/core/check.h"

namespace lavo {

Overrides::Overrides(const Selection& selection) {
  for (const std::string& text : selection.axes) axes.push_back(parse_axis(text));
  for (const std::string& text : selection.sets) add_setting(parse_setting(text));
  std::vector<json> types;
  for (const std::string& text : selection.devices) {
    const json type = parse_device(text).type;
    if (std::ranges::find(types, type) == types.end()) types.push_back(type);
  }
  if (!types.empty()) axes.push_back({"device", types, "--device", true});
  if (selection.threads) axes.push_back({"threads", {*selection.threads}, "--threads"});
  if (!selection.cell_timeout.empty()) {
    parse_timeout(selection.cell_timeout, "--cell-timeout");
    limits["cell_timeout"] = selection.cell_timeout;
  }
}

void Overrides::add_setting(Axis setting) {
  const json& value = setting.values.front();
  if (setting.name == "corpus") {
    corpus = value.is_string() ? value.get<std::string>() : value.dump();
    find_data(corpus);
  } else if (setting.name.starts_with("limits.")) {
    const json limit = {{setting.name.substr(7), value}};
    read_options<Limits>("--set limits", limit, "limit");
    limits.update(limit);
    if (limit.contains("cell_timeout")) {
      parse_timeout(limit["cell_timeout"].get<std::string>(), "--set limits.cell_timeout");
    }
  } else {
    axes.push_back(std::move(setting));
  }
}

}  // namespace lavo
