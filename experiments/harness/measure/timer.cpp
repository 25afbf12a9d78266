// SPDX-License-Identifier: MIT
#include "experiments/harness/measure/timer.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <benchmark/benchmark.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <numeric>

namespace lavo {
namespace {

constexpr double kShortCall = 0.02;  // seconds: cheap enough to be made again

/// Writes more than any GPU's second-level cache holds.
void flush_cache(c10::Device device) {
  static at::Tensor buffer;
  if (!buffer.defined() || buffer.device() != device) {
    buffer =
        at::empty({int64_t{256} << 20}, c10::TensorOptions(c10::ScalarType::Byte).device(device));
  }
  buffer.zero_();
}

/// Keeps Google Benchmark silent: the samples are taken from the calls themselves.
class SilentReporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

/// Averages of consecutive runs of samples, nearly equal in length.
std::vector<double> thin(const std::vector<double>& samples, int64_t most) {
  const auto count = static_cast<int64_t>(samples.size());
  if (count <= most) return samples;
  std::vector<double> thinned;
  for (int64_t i = 0; i < most; ++i) {
    const int64_t begin = i * count / most, end = (i + 1) * count / most;
    const double sum = std::accumulate(samples.begin() + begin, samples.begin() + end, 0.0);
    thinned.push_back(sum / static_cast<double>(end - begin));
  }
  return thinned;
}

/// Works on all threads until each has a core of its own. Two that share one wait for each other by
/// whole slices of the scheduler, as a process's first threads may for tens of milliseconds: calls
/// of 0.05 ms took 7.7. About a millisecond; gives up after a tenth of a second, on a machine too
/// busy.
void settle_threads() {
  constexpr double kShared = 1e-3, kPatience = 0.1;  // seconds
  constexpr int64_t kNumbers = 1 << 16;              // for each thread: two of LibTorch's grains
  constexpr int kTurns = 10;
  const int64_t threads = at::get_num_threads();
  if (threads == 1) return;
  const at::Tensor numbers = at::zeros({threads * kNumbers}, at::kFloat);
  double waited = 0;
  for (int turns = 0; turns < kTurns && waited < kPatience;) {
    // An operator of LibTorch: at::parallel_for is serial where OpenMP is off, as it is here.
    const double seconds = time_once([&] { numbers.sin_(); }, c10::kCPU);
    turns = seconds < kShared ? turns + 1 : 0;
    waited += seconds;
  }
}

}  // namespace

double time_once(const std::function<void()>& call, c10::Device device) {
  if (device.is_cpu()) {
    const auto start = std::chrono::steady_clock::now();
    call();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  flush_cache(device);
  const c10::Stream stream = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
  c10::Event start(device.type(), c10::EventFlag::BACKEND_DEFAULT);
  c10::Event end(device.type(), c10::EventFlag::BACKEND_DEFAULT);
  start.record(stream);
  call();
  end.record(stream);
  end.synchronize();
  return start.elapsedTime(end) * 1e-3;
}

std::vector<double> time_calls(const std::string& name, const TimedCall& call,
                               const TimerOptions& options) {
  if (options.device.is_cpu()) settle_threads();
  std::vector<double> samples;
  std::exception_ptr thrown;
  const auto body = [&](benchmark::State& state) {
    samples.clear();
    for ([[maybe_unused]] auto _ : state) {
      try {
        call.before();
        samples.push_back(time_once(call.run, options.device));
      } catch (...) {  // must not pass through Google Benchmark
        thrown = std::current_exception();
        state.SkipWithError("the call failed");
        break;
      }
      state.SetIterationTime(samples.back());
    }
  };
  benchmark::ClearRegisteredBenchmarks();
  benchmark::RegisterBenchmark(name.c_str(), body)->UseManualTime()->MinTime(options.least_seconds);
  SilentReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter, "all");
  // One or two calls are not warm yet; where they were short, they are the warm-up.
  if (!thrown && samples.size() <= 2 && samples.front() < kShortCall) {
    benchmark::RunSpecifiedBenchmarks(&reporter, "all");
  }
  benchmark::ClearRegisteredBenchmarks();
  if (thrown) std::rethrow_exception(thrown);
  return thin(samples, options.most_samples);
}

}  // namespace lavo
