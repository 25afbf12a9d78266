// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace lavo {

/// The threads that an operator really runs on, and the CPUs that they may run on together. What was asked for is another matter: OMP_THREAD_LIMIT, or a binding, can leave less.
struct ThreadsUsed {
  int64_t threads = 0;
  int64_t cores = 0;
};

/// Each thread of a parallel loop with `wanted` jobs, as operators make it, enters itself.
ThreadsUsed measure_threads(int64_t wanted);

/// "2 threads were asked for, 1 ran", or "" where as many ran, each with a core to itself.
std::string thread_warning(int64_t wanted);

}  // namespace lavo
