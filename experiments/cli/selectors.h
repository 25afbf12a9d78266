// SPDX-License-Identifier: MIT
// The options by which `run`, `plan` and `slurm` choose cells.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "experiments/harness/sweep/selection.h"

namespace lavo {

/// Adds the sweep files and the selectors to a subcommand; filled when it is parsed.
std::shared_ptr<Selection> add_selectors(CLI::App& command);

/// The selectors that were given, for plans/SWEEP.json: what repeats the choice.
json selectors_as_json(const Selection& selection);

}  // namespace lavo
