// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/harness/sweep/plan.h"

namespace lavo {

/// Writes DIR/mechanisms/NAME.json, title and options with defaults, for each mechanism that the
/// plan names: results.json carries them, so that reports ask nobody else.
void write_mechanism_facts(const std::filesystem::path& directory, const Plan& plan);

}  // namespace lavo
