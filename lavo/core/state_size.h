// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

/// What a state holds.
struct StateSize {
  int64_t numbers = 0;
  int64_t bytes = 0;  ///< of them, in the types that they are kept in
};

StateSize size_of(const State& state);

/// The largest that the state of one sequence gets between two tokens, in all heads together:
/// counted in the tensors of a state, after as many random tokens of this type on the CPU as fill
/// its windows. No key mask is counted. `options` are resolved. Throws OptionError where the
/// mechanism has no state; one that grows has no largest size.
StateSize largest_state(Mechanism& mechanism, const Setting& setting, torch::ScalarType type,
                        const json& options);

}  // namespace lavo
