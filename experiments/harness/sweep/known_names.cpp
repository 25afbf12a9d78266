// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/known_names.h"

#include <algorithm>
#include <set>

#include "baselines/table.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

/// The mechanisms that a word stands for; none where it is a mechanism's own name, or no word.
std::vector<json> meant_by(const std::string& word) {
  std::vector<json> names;
  for (const Entry& entry : mechanisms()) {
    if (entry.name == word) return {};
    if (word == "all" || entry.group == word) names.push_back(entry.name);
  }
  return names;
}

}  // namespace

std::vector<std::string> axis_names(const Experiment& experiment) {
  std::vector<std::string> names;
  for (const OptionInfo& info : experiment.axes()) names.push_back(info.name);
  return names;
}

KnownNames::KnownNames(const Experiment& experiment)
    : experiment_(experiment.name()), own_(axis_names(experiment)) {
  if (experiment.width_axis().empty()) return;
  own_.insert(own_.end(), {kMatchStateBytes, kMatchStateBy});
}

bool KnownNames::own(const std::string& name) const {
  return std::ranges::find(own_, name) != own_.end();
}

bool KnownNames::contains(const std::string& name) const {
  return own(name) || (own("mechanism") && is_mechanism_option(name));
}

void KnownNames::check(const std::string& name, const std::string& place) const {
  if (contains(name)) return;
  std::vector<std::string> all = own_;
  if (own("mechanism")) {
    std::set<std::string> options;
    for (const Entry& entry : mechanisms()) {
      for (const OptionInfo& info : entry.options) options.insert(info.name);
    }
    all.insert(all.end(), options.begin(), options.end());
  }
  fail<InputError>("{}: {}: {}", place, experiment_, unknown_name("axis", name, all));
}

void KnownNames::check(const Expression& condition) const {
  for (const std::string& name : condition.names()) check(name, condition.place());
  for (const std::string& text : condition.texts_compared_with("device")) {
    require<InputError>(device_spelling(text) == text, "{}: got device '{}', wanted '{}'",
                        condition.place(), text, device_spelling(text));
  }
  if (!own("mechanism")) return;
  for (const std::string& name : condition.texts_compared_with("mechanism")) {
    try {
      find_mechanism(name);
    } catch (const OptionError& error) {
      fail<InputError>("{}: {}", condition.place(), error.what());
    }
  }
}

Defaults::Defaults(const Experiment& experiment) {
  for (const OptionInfo& info : experiment.axes()) own_[info.name] = info.default_value;
  if (!own_.contains("mechanism")) return;
  for (const Entry& entry : mechanisms()) {
    json& options = of_mechanism_[entry.name] = json::object();
    for (const OptionInfo& info : entry.options) options[info.name] = info.default_value;
  }
}

json Defaults::fill(const json& axes) const {
  json filled = own_;
  const json mechanism = axes.value("mechanism", own_.value("mechanism", json()));
  if (mechanism.is_string()) {
    const auto found = of_mechanism_.find(mechanism.get<std::string>());
    if (found != of_mechanism_.end()) filled.update(found->second);
  }
  filled.update(axes);
  return filled;
}

std::string device_spelling(const std::string& text) {
  const bool is_first = text.starts_with("cuda:") && text.size() > 5 &&
                        text.find_first_not_of('0', 5) == std::string::npos;
  return is_first ? "cuda" : text;
}

void spell_out(Axis& axis) {
  if (axis.name != "mechanism" && axis.name != "device") return;
  std::vector<json> spelled;
  const auto add = [&](const json& value) {
    if (std::ranges::find(spelled, value) == spelled.end()) spelled.push_back(value);
  };
  for (const json& value : axis.values) {
    if (!value.is_string()) {
      add(value);
    } else if (axis.name == "device") {
      add(device_spelling(value.get<std::string>()));
    } else {
      const std::vector<json> names = meant_by(value.get<std::string>());
      std::ranges::for_each(names, add);
      if (names.empty()) {
        add(value);
      } else {
        axis.is_list = true;
      }
    }
  }
  axis.values = std::move(spelled);
}

}  // namespace lavo
