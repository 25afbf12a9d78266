// SPDX-License-Identifier: MIT
// lavo-gbench: every mechanism as a Google Benchmark, for whoever wants its options, formats and
// tools while working on a kernel. Registered from the table of mechanisms; the settings of a
// sweep's cell: float32, batch 1, 4 heads of 64, causal where the mechanism is. What is published
// comes from lavo-bench, which interleaves blocks and keeps records.
//
//   lavo-gbench --benchmark_filter='^forward/lavo/' --benchmark_format=json
//   forward/lavo/fused/T:4096/manual_time    time of a call; in decode of a token
//
// Counters: tokens_per_second; bytes_per_second of the traffic that no implementation can avoid;
// peak_bytes that one call allocates above its inputs.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "experiments/efficiency/correctness.h"
#include "experiments/efficiency/workload.h"
#include "experiments/harness/measure/memory.h"
#include "experiments/mechanism_axes.h"
#include "lavo/core/problem.h"

namespace lavo {
namespace {

constexpr int64_t kHeads = 4, kWidth = 64;
constexpr int64_t kCheckedRows = 16;

struct Pass {
  const char* name;
  std::unique_ptr<Workload> (*make)(std::shared_ptr<Mechanism>, const Inputs&);
  /// Times that of a forward: the backward reads gradient and inputs, and writes three.
  double traffic;
};
constexpr Pass kPasses[] = {{"forward", forward_workload, 1},
                            {"forward_backward", backward_workload, 2.5},
                            {"decode", decode_workload, 1}};

void run(benchmark::State& state, const Entry& entry, const Pass& pass,
         Implementation implementation, bool causal) {
  const int64_t length = state.range(0);
  const Shape shape{.B = 1, .H = kHeads, .T = length, .S = length, .D = kWidth, .E = kWidth};
  const Setting setting{.heads = kHeads,
                        .head_dim = kWidth,
                        .value_dim = kWidth,
                        .query_length = length,
                        .key_length = length,
                        .longest = length,
                        .causal = causal};
  const json options = entry.resolve(json::object(), setting);
  const auto mechanism = make_mechanism(entry.name, options, setting, /*seed=*/0);
  move_parameters(*mechanism, /*seed=*/1);
  mechanism->use(implementation);
  const Inputs in =
      random_inputs(*mechanism, shape, torch::kFloat32, /*seed=*/1, {.causal = causal}, options);
  const auto work = pass.make(mechanism, in);

  const auto rows = check_rows(length, kCheckedRows, mechanism->block(), /*seed=*/2);
  if (!check_output(*mechanism, work->inputs(), work->output(), rows).passed()) {
    state.SkipWithError("wrong result: not timed");
    return;
  }
  if (implementation == Implementation::kFused && !mechanism->is_fused()) {
    state.SkipWithError("no fused kernel takes this call");
    return;
  }
  const TimedCall call = work->timed();
  call.before();
  const PeakMemory peak(torch::kCPU);
  call.run();
  const auto peak_bytes = static_cast<double>(peak.bytes());

  const auto per_call = static_cast<double>(work->tokens_per_call());
  for ([[maybe_unused]] auto _ : state) {
    call.before();
    state.SetIterationTime(time_once(call.run, torch::kCPU) / per_call);
  }
  using benchmark::Counter;
  // Where the time is that of a token, an iteration is one.
  const double tokens = pass.make == decode_workload ? 1 : static_cast<double>(length);
  const Cost cost = mechanism->cost(shape, pattern_of(causal, false));
  const double state_bytes = pass.make == decode_workload ? cost.state_bytes : 0;  // read by each
  const double bytes =
      pass.traffic * cost.bytes * tokens / static_cast<double>(length) + state_bytes;
  state.counters["tokens_per_second"] = Counter(tokens, Counter::kIsIterationInvariantRate);
  state.counters["bytes_per_second"] =
      Counter(bytes, Counter::kIsIterationInvariantRate, Counter::kIs1024);
  state.counters["peak_bytes"] = Counter(peak_bytes, Counter::kDefaults, Counter::kIs1024);
}

/// To 4096 tokens where time or memory grows fast, else to 65536.
void register_all() {
  for (const Entry& entry : mechanisms()) {
    const bool causal = entry.patterns.include(Pattern::kCausalSelf);
    for (const Pass& pass : kPasses) {
      if (pass.make == decode_workload && !(causal && entry.facts.has_state)) continue;
      for (size_t i = 0; i < kImplementations.size(); ++i) {
        const auto implementation = static_cast<Implementation>(i);
        if (implementation == Implementation::kFused && !entry.is_fused()) continue;
        if (implementation == Implementation::kComposed && !entry.facts.composed) continue;
        if (implementation == Implementation::kNaive && !entry.facts.naive) continue;
        const bool small = entry.facts.softmax || implementation == Implementation::kNaive;
        const std::string name =
            fmt::format("{}/{}/{}", pass.name, entry.name, kImplementations[i]);
        benchmark::RegisterBenchmark(
            name.c_str(),
            [&entry, &pass, implementation, causal](benchmark::State& state) {
              run(state, entry, pass, implementation, causal);
            })
            ->ArgName("T")
            ->RangeMultiplier(4)
            ->Range(256, small ? 4096 : 65536)
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
}

}  // namespace
}  // namespace lavo

int main(int argc, char** argv) {
  lavo::ask_for_huge_pages();
  lavo::count_cpu_memory();
  const lavo::KeptMemory kept;
  lavo::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
