// SPDX-License-Identifier: MIT
// A problem put where the kernels can work on it, and what they made of it.
#pragma once

#include <memory>

#include "tests/emulation/lavo_problem.h"

namespace lavo::cuda::test {

using Forward = decltype(lavo_forward);
using Backward = decltype(lavo_backward);

/// Both passes, by these launchers; gradients only with `backward`. What the kernels leave
/// unwritten is NaN. `code` is the first launcher's that failed.
struct LavoRun {
  LavoAnswer answer;
  int code = 0;
};
LavoRun run(const LavoProblem& problem, Forward* forward, Backward* backward);

/// The outputs, token by token through the state.
LavoRun decode(const LavoProblem& problem);

/// The first thing that is wrong with `got`, in words; empty when all is within the rounding of the
/// element type: outputs row by row against the size of their terms, gradients against their norm.
std::string compare(const LavoProblem& problem, const LavoAnswer& got, const LavoAnswer& wanted,
                    bool gradients);

}  // namespace lavo::cuda::test
