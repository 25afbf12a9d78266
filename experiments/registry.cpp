// SPDX-License-Identifier: MIT
#include "experiments/registry.h"

#include <algorithm>

#include "baselines/cosformer.h"
#include "baselines/linear.h"
#include "baselines/local.h"
#include "baselines/nystromformer.h"
#include "baselines/performer.h"
#include "baselines/vanilla.h"
#include "experiments/efficiency.h"
#include "experiments/language_model.h"
#include "experiments/numerics.h"
#include "lavo/core/check.h"
#include "lavo/lavo.h"

namespace lavo {

const std::vector<Entry>& mechanisms() {
  static const std::vector<Entry> table = {
      // A line for each.
      // clang-format off
      row<Vanilla>(),
      row<VanillaMath>(),
      row<Lavo>(),
      row<Linear>(),
      row<Performer>(),
      row<Cosformer>(),
      row<Nystromformer>(),
      row<Local>(),
      // clang-format on
  };
  return table;
}

const Entry& find_mechanism(const std::string& name) {
  const auto found = std::ranges::find(mechanisms(), name, &Entry::name);
  if (found != mechanisms().end()) return *found;
  std::vector<std::string> names;
  for (const Entry& entry : mechanisms()) names.push_back(entry.name);
  throw OptionError(unknown_name("mechanism", name, names));
}

std::shared_ptr<Mechanism> make_mechanism(const std::string& name, const json& options,
                                          const Setting& setting, uint64_t seed,
                                          torch::ScalarType type, torch::Device device) {
  auto mechanism = find_mechanism(name).create(options, setting, seed);
  mechanism->to(device, type);
  mechanism->eval();
  return mechanism;
}

bool is_mechanism_option(const std::string& name) {
  return std::ranges::any_of(mechanisms(), [&](const Entry& entry) {
    return std::ranges::find(entry.options, name, &OptionInfo::name) != entry.options.end();
  });
}

namespace {

std::vector<std::unique_ptr<Experiment>>& experiment_table() {
  static auto table = [] {
    std::vector<std::unique_ptr<Experiment>> rows;
    rows.push_back(std::make_unique<Efficiency>());
    rows.push_back(std::make_unique<Numerics>());
    rows.push_back(std::make_unique<LanguageModel>());
    return rows;
  }();
  return table;
}

}  // namespace

const std::vector<std::unique_ptr<Experiment>>& experiments() { return experiment_table(); }

void add_experiment(std::unique_ptr<Experiment> experiment) {
  experiment_table().push_back(std::move(experiment));
}

const Experiment& find_experiment(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& experiment : experiments()) {
    if (experiment->name() == name) return *experiment;
    names.push_back(experiment->name());
  }
  throw OptionError(unknown_name("experiment", name, names));
}

}  // namespace lavo
