// SPDX-License-Identifier: MIT
#include "experiments/harness/measure/threads.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <mutex>
#include <set>

#include "lavo/operators/kernel_tensors.h"

namespace lavo {
namespace {

/// The threads that an operator really runs on, and the CPUs that they may run on together. What
/// was asked for is another matter: OMP_THREAD_LIMIT, or a binding, can leave less.
struct ThreadsUsed {
  int64_t threads = 0;
  int64_t cores = 0;
};

/// Each thread of a parallel loop with `wanted` jobs, as operators make it, enters itself.
ThreadsUsed measure_threads(int64_t wanted) {
  std::mutex mutex;
  std::set<pid_t> threads;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  const auto enter = [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(::gettid());
    cpu_set_t own;
    if (sched_getaffinity(0, sizeof own, &own) == 0) CPU_OR(&cores, &cores, &own);
  };
  cpu_parallel_for(wanted, cpu::RangeFunction(enter));
  return {static_cast<int64_t>(threads.size()), CPU_COUNT(&cores)};
}

}  // namespace

std::string thread_warning(int64_t wanted) {
  if (wanted < 2) return "";
  const ThreadsUsed used = measure_threads(wanted);
  if (used.threads < wanted) {
    return fmt::format("{} threads were asked for, {} ran", wanted, used.threads);
  }
  if (used.cores < wanted) return fmt::format("{} threads ran on {} core(s)", wanted, used.cores);
  return "";
}

}  // namespace lavo
