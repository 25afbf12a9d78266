// SPDX-License-Identifier: MIT
#include "experiments/harness/measure/noise.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>

#include "lavo/core/check.h"
#include "reports/records/statistics.h"

namespace lavo {
namespace {

constexpr size_t kBlock = 10;              ///< timings that make one side of a comparison
constexpr size_t kCopy = size_t{8} << 20;  ///< B for each thread: beyond the caches of a core

double milliseconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

void on_threads(int threads, const std::function<void(int64_t)>& work) {
  if (threads == 1) return work(0);
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) work(i);
  });
}

/// A chain of multiplications and additions, about 2 ms: no memory, no branches to guess. It starts
/// from what the compiler cannot know, or it would be computed when this is built.
void compute() {
  volatile double value = 0.5;
  double x = value;
  for (int i = 0; i < 500'000; ++i) x = x * 0.999999 + 1e-6;
  value = x;
}

std::vector<double> time_repeatedly(double seconds, const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = 0; i < 3; ++i) work();  // threads start, pages are touched
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  while (elapsed() < seconds || times.size() < 8 * kBlock) times.push_back(milliseconds(work));
  return times;
}

double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

}  // namespace

Noise noise_of(const std::string& work, const std::vector<double>& times, size_t block) {
  require(times.size() >= 4 * block && block > 0, "noise: {} timings are too few", times.size());
  Noise noise{.work = work, .median_ms = median(times)};
  noise.spread = (quantile(times, 0.75) - quantile(times, 0.25)) / noise.median_ms;
  std::vector<double> blocks;
  for (auto at = times.begin(); times.end() - at >= static_cast<std::ptrdiff_t>(block);
       at += static_cast<std::ptrdiff_t>(block)) {
    blocks.push_back(median({at, at + static_cast<std::ptrdiff_t>(block)}));
  }
  std::vector<double> differences;
  for (size_t i = 0; i + 1 < blocks.size(); ++i) {
    differences.push_back(std::abs(std::log(blocks[i + 1] / blocks[i])));
  }
  noise.floor = std::expm1(quantile(differences, 0.95));
  const auto third = static_cast<std::ptrdiff_t>(times.size() / 3);
  noise.drift =
      median({times.end() - third, times.end()}) / median({times.begin(), times.begin() + third}) -
      1;
  return noise;
}

std::vector<Noise> measure_noise(double seconds) {
  std::vector<int> counts = {1};
  if (at::get_num_threads() > 1) counts.push_back(at::get_num_threads());
  std::vector<Noise> noises;
  for (const int threads : counts) {
    const std::string on = fmt::format("{} thread{}", threads, threads == 1 ? "" : "s");
    const auto arithmetic = [&] { on_threads(threads, [](int64_t) { compute(); }); };
    noises.push_back(noise_of("arithmetic, " + on, time_repeatedly(seconds, arithmetic), kBlock));
    std::vector<std::vector<char>> from(static_cast<size_t>(threads), std::vector<char>(kCopy, 1));
    auto to = from;
    const auto copies = [&] {
      on_threads(threads, [&](int64_t i) {
        const auto at = static_cast<size_t>(i);
        std::memcpy(to[at].data(), from[at].data(), kCopy);
      });
    };
    noises.push_back(noise_of("copies, " + on, time_repeatedly(seconds, copies), kBlock));
  }
  return noises;
}

std::string noise_verdict(const std::vector<Noise>& noises) {
  double floor = 0;
  for (const Noise& noise : noises) floor = std::max(floor, noise.floor);
  const char* word = floor < 0.01   ? "quiet: differences of 1 to 2 % can be told"
                     : floor < 0.03 ? "usable: differences of 5 % can be told with enough blocks"
                     : floor < 0.10 ? "noisy: trust differences above 10 %, and exact metrics"
                                    : "very noisy: gate on exact metrics (bytes, FLOPs, "
                                      "allocations), not on time";
  return fmt::format("noise floor {:.1f} %: {}", floor * 100, word);
}

}  // namespace lavo
