// SPDX-License-Identifier: MIT
// How long a call takes, by Google Benchmark with manual time: the host's steady clock on the CPU
// (warm caches), events of the stream on a GPU (cold second-level cache).
#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <string>
#include <vector>

namespace lavo {

struct TimedCall {
  std::function<void()> run;
  std::function<void()> before = [] {};  ///< before every call, not timed
};

struct TimerOptions {
  double least_seconds = 0.3;  ///< calls are repeated until they add up to this
  int64_t most_samples = 24;   ///< consecutive calls are averaged so that no more are kept
  c10::Device device = c10::kCPU;
};

/// Seconds of a call, sample by sample in the order of measurement; at least one. Google Benchmark
/// raises the number of calls until they take long enough and only the last, longest run counts:
/// the ones before it are the warm-up, and so is a whole run of one or two calls of less than 20
/// ms. On the CPU the threads are first made to work until each has a core. What the call throws is
/// thrown.
std::vector<double> time_calls(const std::string& name, const TimedCall& call,
                               const TimerOptions& options = {});

/// Seconds of one call on `device`.
double time_once(const std::function<void()>& call, c10::Device device);

}  // namespace lavo
