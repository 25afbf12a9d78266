// SPDX-License-Identifier: MIT
#include "experiments/registry.h"

#include "experiments/efficiency/efficiency.h"
#include "experiments/language_model/language_model.h"
#include "experiments/numerics/numerics.h"
#include "experiments/recall/recall.h"
#include "experiments/state_tracking/state_tracking.h"
#include "lavo/core/check.h"

namespace lavo {

namespace {

std::vector<std::unique_ptr<Experiment>>& experiment_table() {
  static auto table = [] {
    std::vector<std::unique_ptr<Experiment>> rows;
    rows.push_back(std::make_unique<Efficiency>());
    rows.push_back(std::make_unique<Numerics>());
    rows.push_back(std::make_unique<LanguageModel>());
    rows.push_back(std::make_unique<StateTracking>());
    rows.push_back(std::make_unique<Recall>());
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
