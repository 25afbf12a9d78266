// SPDX-License-Identifier: MIT
#include "experiments/harness/measure/threads.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace lavo {
namespace {

/// ns that each thread of this process has run.
std::map<pid_t, int64_t> running_times() {
  std::map<pid_t, int64_t> times;
  std::error_code ended_meanwhile;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ended_meanwhile)) {
    int64_t time = 0;
    if (std::ifstream(task.path() / "schedstat") >> time) {
      times[std::atoi(task.path().filename().c_str())] = time;
    }
  }
  return times;
}

}  // namespace

std::optional<ThreadsUsed> measure_threads(int64_t wanted) {
  constexpr int64_t kNumbers = 1 << 16;  // for each thread: two of LibTorch's grains
  const auto before = running_times();
  at::zeros({wanted * kNumbers}, at::kFloat).sin_();
  ThreadsUsed used;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  for (const auto& [thread, time] : running_times()) {
    const auto earlier = before.find(thread);
    if (earlier != before.end() && earlier->second == time) continue;
    ++used.threads;
    cpu_set_t own;
    if (sched_getaffinity(thread, sizeof own, &own) == 0) CPU_OR(&cores, &cores, &own);
  }
  used.cores = CPU_COUNT(&cores);
  if (used.threads == 0 || used.cores == 0) return {};
  return used;
}

std::string thread_warning(int64_t wanted) {
  if (wanted < 2) return "";
  const std::optional<ThreadsUsed> used = measure_threads(wanted);
  if (!used) return "";
  if (used->threads < wanted) {
    return fmt::format("{} threads were asked for, {} ran", wanted, used->threads);
  }
  if (used->cores < wanted) return fmt::format("{} threads ran on {} core(s)", wanted, used->cores);
  return "";
}

}  // namespace lavo
