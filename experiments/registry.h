// SPDX-License-Identifier: MIT
// The two tables: mechanisms and experiments. Adding either is one header, one source, and one line
// here.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <memory>
#include <string>
#include <vector>

#include "experiments/experiment.h"
#include "lavo/core/entry.h"

namespace lavo {

const std::vector<Entry>& mechanisms();

/// Throws OptionError with the nearest name.
const Entry& find_mechanism(const std::string& name);

/// The mechanism in the given type on the given device, in eval mode, its parameters drawn from
/// `seed`.
std::shared_ptr<Mechanism> make_mechanism(const std::string& name, const json& options,
                                          const Setting& setting, uint64_t seed,
                                          c10::ScalarType type = c10::ScalarType::Float,
                                          c10::Device device = c10::kCPU);

/// Every option name of any mechanism: as an axis it is dropped for the mechanisms that lack it.
bool is_mechanism_option(const std::string& name);

const std::vector<std::unique_ptr<Experiment>>& experiments();
/// One more experiment, from outside the table: tests bring experiments that fail on purpose.
void add_experiment(std::unique_ptr<Experiment> experiment);

/// Throws OptionError with the nearest name.
const Experiment& find_experiment(const std::string& name);

}  // namespace lavo
