// SPDX-License-Identifier: MIT
// The table of experiments: adding one is one header, one source, and one line in registry.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "experiments/experiment.h"

namespace lavo {

const std::vector<std::unique_ptr<Experiment>>& experiments();
/// One more experiment, from outside the table: tests bring experiments that fail on purpose.
void add_experiment(std::unique_ptr<Experiment> experiment);

/// Throws OptionError with the nearest name.
const Experiment& find_experiment(const std::string& name);

}  // namespace lavo
