// SPDX-License-Identifier: MIT
// What experiments on a bare mechanism share.
#pragma once

#include "baselines/table.h"
#include "experiments/experiment.h"
#include "lavo/core/mechanism.h"

namespace lavo {

/// Why the mechanism with its options does not do this pattern; empty where it does.
std::string refused_pattern(const Mechanism& mechanism, Pattern pattern);

/// Threads of a new process, whatever an earlier cell of this one has set since.
int64_t default_threads();

/// Parameters off the values they start at: a bias of zero would hide a wrong one.
void move_parameters(Mechanism& mechanism, uint64_t seed);

}  // namespace lavo
