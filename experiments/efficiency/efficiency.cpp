// SPDX-License-Identifier: MIT
#include "experiments/efficiency/efficiency.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "experiments/efficiency/workload.h"
#include "experiments/harness/measure/memory.h"
#include "experiments/harness/measure/peaks.h"
#include "experiments/mechanism_axes.h"
#include "lavo/core/check.h"
#include "lavo/core/problem.h"
#include "reports/records/statistics.h"

namespace lavo {
namespace {

constexpr uint64_t kInputSeed = 1, kParameterSeed = 0, kRowSeed = 2, kWeightSeed = 3;
/// References read the whole context for each row: fewer rows where it is long.
constexpr int64_t kCheckedRows = 64, kFewestRows = 16, kCheckedTokens = 1 << 19;
constexpr int64_t kGradientLength = 512;  // the reference's graph grows with rows times length

/// For predictions only: what a CPU thread with 512-bit vectors reached in float32, a GPU of 2023
/// in bfloat16, and what a call and a check cost however short they are.
constexpr double kFusedFlopPerSecond = 8e10, kComposedFlopPerSecond = 2e10;
constexpr double kGpuFlopPerSecond = 5e13;
constexpr double kCallSeconds = 1e-4, kCheckSeconds = 0.1, kRowSecondsPerToken = 1e-7;

struct Point {
  EfficiencyAxes axes;
  json options;
};

Point read_point(const Experiment& experiment, const json& resolved) {
  auto [axes, options] = read_cell<EfficiencyAxes>(experiment.name(), resolved);
  return {std::move(axes), std::move(options)};
}

int64_t checked_rows(int64_t length) {
  return std::clamp(kCheckedTokens / length, kFewestRows, kCheckedRows);
}

Pattern efficiency_pattern(const EfficiencyAxes& axes) {
  return pattern_of(axes.causal, axes.cross);
}

/// Why the call is not to be had in this implementation; empty where it is.
std::string lacking(const Entry& entry, const Mechanism& mechanism, Implementation wanted,
                    const EfficiencyAxes& axes) {
  switch (wanted) {
    case Implementation::kFused:
      return mechanism.not_fused({.shape = axes.shape(),
                                  .pattern = efficiency_pattern(axes),
                                  .type = scalar_type(axes.dtype),
                                  .device = parse_device("efficiency", axes.device),
                                  .streaming = axes.pass == Pass::kDecode});
    case Implementation::kComposed:
      return entry.facts.composed ? "" : "it is one operator of LibTorch";
    case Implementation::kNaive:
      return entry.facts.naive ? "" : "it has no such form";
  }
  return "there is no such implementation";
}

/// "fused and composed"
std::string implementations_of(const Entry& entry, const Mechanism& mechanism,
                               const EfficiencyAxes& axes) {
  std::vector<std::string> names;
  for (size_t i = 0; i < kImplementations.size(); ++i) {
    if (lacking(entry, mechanism, static_cast<Implementation>(i), axes).empty()) {
      names.push_back(kImplementations[i]);
    }
  }
  return fmt::format("{}", fmt::join(names, " and "));
}

std::vector<int64_t> rows_to_check(const EfficiencyAxes& axes, const Mechanism& mechanism,
                                   int64_t length) {
  const int64_t decoded = axes.pass == Pass::kDecode ? decode_tokens(length) : 0;
  const auto drawn =
      check_rows(length, checked_rows(length) - decoded, mechanism.block(), kRowSeed);
  std::set<int64_t> rows(drawn.begin(), drawn.end());
  for (int64_t t = length - decoded; t < length; ++t) rows.insert(t);
  return {rows.begin(), rows.end()};
}

Inputs inputs_of(const Point& point, const Mechanism& mechanism, int64_t length,
                 torch::Device device) {
  const EfficiencyAxes& axes = point.axes;
  Shape shape = axes.shape();
  shape.T = shape.S = length;
  return random_inputs(mechanism, shape, scalar_type(axes.dtype), kInputSeed,
                       {.device = device, .causal = axes.causal, .cross = axes.cross},
                       point.options);
}

std::unique_ptr<Workload> workload_for(const EfficiencyAxes& axes,
                                       std::shared_ptr<Mechanism> mechanism, const Inputs& in) {
  if (axes.pass == Pass::kDecode) return decode_workload(std::move(mechanism), in);
  if (axes.pass == Pass::kForwardBackward) return backward_workload(std::move(mechanism), in);
  return forward_workload(std::move(mechanism), in);
}

void require_right(const std::string& what, const Check& check) {
  if (check.passed()) return;
  throw CellFailure(
      std::isfinite(check.error) ? Status::kWrong : Status::kNotFinite,
      fmt::format("{} differ from the float64 reference by {:.3g} of a row's norm, allowed {:.3g}: "
                  "not timed",
                  what, check.error, check.allowed));
}

json to_json(const Check& check) {
  return {{"rows", check.rows}, {"worst_error", check.error}, {"allowed", check.allowed}};
}

/// Everything that one checked call of the first block shows.
void check_first(const Point& point, Workload& work, Outcome& outcome) {
  const EfficiencyAxes& axes = point.axes;
  const Check output = check_output(work.mechanism(), work.inputs(), work.output(),
                                    rows_to_check(axes, work.mechanism(), axes.length));
  require_right("outputs", output);
  outcome.notes["output_check"] = to_json(output);
  double error = output.error;
  if (axes.pass == Pass::kForwardBackward) {
    const int64_t length = std::min(axes.length, kGradientLength);
    const Inputs in = inputs_of(point, work.mechanism(), length, work.inputs().query.device());
    const Check gradients = check_gradients(
        work.mechanism(), in, rows_to_check(axes, work.mechanism(), length), kWeightSeed);
    require_right("gradients", gradients);
    outcome.notes["gradient_check"] = to_json(gradients);
    outcome.notes["gradient_check"]["length"] = length;
    error = std::max(error, gradients.error);
  }
  outcome.metrics["worst_error"] = {error, "1", Better::kLower, Kind::kBound};
  if (axes.pass == Pass::kDecode) {
    outcome.metrics["state_bytes"] = {static_cast<double>(work.state_bytes()), "B", Better::kLower,
                                      Kind::kExact};
  }
}

/// After a call. What no fused kernel covers runs composed, and must not be timed as fused.
void require_implementation(const EfficiencyAxes& axes, const Mechanism& mechanism) {
  if (axes.implementation != Implementation::kFused || mechanism.is_fused()) return;
  throw CellFailure(Status::kSkipped,
                    fmt::format("no fused kernel of {} covers this call; implementation = composed "
                                "measures it",
                                axes.mechanism));
}

/// One call with the allocator watched.
void measure_memory(const TimedCall& call, torch::Device device, Outcome& outcome) {
  call.before();
  const int64_t allocations = allocation_count(device);
  const PeakMemory peak(device);
  call.run();
  outcome.metrics["peak_memory"] = {static_cast<double>(peak.bytes()), "B", Better::kLower,
                                    Kind::kExact};
  outcome.metrics["allocations"] = {static_cast<double>(allocation_count(device) - allocations),
                                    "1", Better::kLower, Kind::kExact};
}

void measure_time(const EfficiencyAxes& axes, Workload& work, const Cost& cost,
                  const TimerOptions& timer, Outcome& outcome) {
  std::vector<double> samples = time_calls(axes.mechanism, work.timed(), timer);
  const auto tokens = static_cast<double>(work.tokens_per_call());
  for (double& seconds : samples) seconds /= tokens;
  const double seconds = median(samples);
  for (double& sample : samples) sample *= 1e3;
  outcome.metrics["time"] = {.value = seconds * 1e3,
                             .unit = "ms",
                             .better = Better::kLower,
                             .kind = Kind::kTiming,
                             .samples = samples,
                             .blocks = {static_cast<int64_t>(samples.size())}};
  const Peaks peaks = machine_peaks(timer.device, scalar_type(axes.dtype));
  outcome.metrics["flop"] = {cost.flop, "FLOP", Better::kLower, Kind::kExact};
  outcome.metrics["bytes"] = {cost.bytes, "B", Better::kLower, Kind::kExact};
  // Not to be judged: they say again what the time says, with the noise of the peaks on top.
  outcome.metrics["flop_share"] = {cost.flop / seconds / peaks.flop_per_s, "1", Better::kNone,
                                   Kind::kTiming};
  outcome.metrics["bandwidth_share"] = {cost.bytes / seconds / peaks.copy_bytes_per_s, "1",
                                        Better::kNone, Kind::kTiming};
  outcome.notes["machine_peaks"] = {{"flop_per_s", peaks.flop_per_s},
                                    {"copy_bytes_per_s", peaks.copy_bytes_per_s}};
  outcome.notes["clock"] = timer.device.is_cpu() ? "steady clock of the host, warm caches"
                                                 : "events of the stream, cold second-level cache";
}

/// What one timed call must compute and move, by count.
Cost cost_of(const EfficiencyAxes& axes, const Mechanism& mechanism) {
  Cost cost = mechanism.cost(axes.shape(), efficiency_pattern(axes));
  if (axes.pass == Pass::kForwardBackward) {
    // Every product of the forward has two in the backward; grad_output is read, three gradients
    // are written, the inputs are read again.
    cost.flop *= 3;
    cost.bytes *= 2.5;
    // Where it predicts none: results of all steps are kept, and gradients come on top.
    cost.memory_bytes =
        cost.backward_memory_bytes > 0 ? cost.backward_memory_bytes : 4 * cost.memory_bytes;
  } else if (axes.pass == Pass::kDecode) {
    const double tokens = static_cast<double>(axes.length);
    cost.flop /= tokens;
    cost.bytes = cost.bytes / tokens + cost.state_bytes;  // the state is read
  }
  return cost;
}

/// False for one whose parameters are too large to be made; refused() says so.
bool has_fused(const Entry& entry, const json& options, const EfficiencyAxes& point) {
  try {
    const auto mechanism = entry.create(options, point.setting(), kParameterSeed);
    return lacking(entry, *mechanism, Implementation::kFused, point).empty();
  } catch (const c10::Error&) {
    return false;
  }
}

}  // namespace

void EfficiencyAxes::visit(OptionVisitor& v) {
  const auto size = between(1, 1 << 30);
  v.text("mechanism", mechanism, "its name in `list mechanisms`");
  v.integer("length", length, size, "tokens of queries and of keys");
  v.choice("pass", pass, {"forward", "forward_backward", "decode"},
           "what is timed; decode: one token near this position");
  v.boolean("causal", causal, "output t depends on nothing later");
  v.boolean("cross", cross, "keys and values are of another sequence");
  v.choice("dtype", dtype, kTypeNames, "of inputs, outputs and parameters");
  v.integer("batch", batch, size, "B, sequences");
  v.integer("heads", heads, size, "H");
  v.integer("head_dim", head_dim, size, "D = E, width of a head");
  v.choice("implementation", implementation, kImplementations,
           "unset: fused where the mechanism has a fused operator, else composed");
  v.text("device", device, "cpu, cuda, cuda:1 ...");
  v.integer("threads", threads, between(1, 4096),
            "of the CPU; unset: all that the process may use");
}

Setting EfficiencyAxes::setting() const {
  return {.heads = heads,
          .head_dim = head_dim,
          .value_dim = head_dim,
          .query_length = length,
          .key_length = length,
          .longest = length,
          .causal = causal,
          .cross = cross};
}

Shape EfficiencyAxes::shape() const {
  return {.B = batch,
          .H = heads,
          .T = length,
          .S = length,
          .D = head_dim,
          .E = head_dim,
          .element_bytes = static_cast<int64_t>(torch::elementSize(scalar_type(dtype)))};
}

json Efficiency::resolve(const json& given) const {
  auto [point, given_options] = read_cell<EfficiencyAxes>(name(), given);
  parse_device(name(), point.device);
  const Entry& entry = find_mechanism(point.mechanism);
  const json options = entry.resolve(given_options, point.setting());
  if (!point.implementation) {
    point.implementation =
        has_fused(entry, options, point) ? Implementation::kFused : Implementation::kComposed;
  }
  if (!point.threads) point.threads = default_threads();
  json resolved = write_options(point);
  resolved.update(options);
  return resolved;
}

std::string Efficiency::meaningless(const json& axes) const {
  if (axes.at("pass") != "decode") return "";
  if (!axes.at("causal").get<bool>()) return "decoding is causal";
  return axes.at("cross").get<bool>() ? "decoding streams queries and keys of one sequence" : "";
}

std::string Efficiency::refused(const json& axes) const {
  const Point point = read_point(*this, axes);
  const Entry& entry = find_mechanism(point.axes.mechanism);
  const auto mechanism = entry.create(point.options, point.axes.setting(), kParameterSeed);
  const std::string refusal = refused_pattern(*mechanism, efficiency_pattern(point.axes));
  if (!refusal.empty()) return refusal;
  if (mechanism->longest() < point.axes.length) {
    return fmt::format("{} takes {} tokens at most", entry.name, mechanism->longest());
  }
  const auto wanted = *point.axes.implementation;
  if (const std::string reason = lacking(entry, *mechanism, wanted, point.axes); !reason.empty()) {
    return fmt::format("{} has no {} implementation of {} attention on {}, only {}: {}", entry.name,
                       kImplementations[static_cast<size_t>(wanted)],
                       pattern_text(efficiency_pattern(point.axes)), point.axes.device,
                       implementations_of(entry, *mechanism, point.axes), reason);
  }
  if (point.axes.pass != Pass::kDecode) return "";
  try {
    mechanism->new_state();
  } catch (const OptionError& error) {
    return error.what();
  }
  return "";
}

StateUse Efficiency::state_use(const json& axes) const {
  const Point point = read_point(*this, axes);
  return {.mechanism = point.axes.mechanism,
          .options = point.options,
          .setting = point.axes.setting(),
          .type = scalar_type(point.axes.dtype),
          .implementation = *point.axes.implementation};
}

Prediction Efficiency::predict(const json& axes, const json& limits) const {
  const Point point = read_point(*this, axes);
  const Entry& entry = find_mechanism(point.axes.mechanism);
  const Setting setting = point.axes.setting();
  const auto mechanism = entry.create(point.options, setting, kParameterSeed);
  mechanism->use(*point.axes.implementation);
  const Cost cost = cost_of(point.axes, *mechanism);
  const Shape shape = point.axes.shape();
  const bool decode = point.axes.pass == Pass::kDecode;
  const double whole = decode ? cost.flop * static_cast<double>(point.axes.length) : cost.flop;
  const double per_second =
      parse_device(name(), point.axes.device).is_cpu()
          ? static_cast<double>(*point.axes.threads) *
                (point.axes.implementation == Implementation::kFused ? kFusedFlopPerSecond
                                                                     : kComposedFlopPerSecond)
          : kGpuFlopPerSecond;
  const double call = kCallSeconds + whole / per_second;
  const double measured = std::max(limits.value("block_seconds", 0.3), call);
  const double rows = kRowSecondsPerToken *
                      static_cast<double>(checked_rows(shape.S) * shape.B * shape.H * shape.S);
  const double wide_inputs = shape.input_bytes() * 8 / static_cast<double>(shape.element_bytes);
  return {.seconds = kCheckSeconds + rows + 2 * call + blocks(limits) * 1.5 * measured,
          .call_seconds = call,
          .memory_bytes = 2 * shape.input_bytes() + wide_inputs + cost.memory_bytes};
}

Outcome Efficiency::run(const Case& cell) const {
  const Point point = read_point(*this, cell.axes);
  const EfficiencyAxes& axes = point.axes;
  if (const std::string reason = refused(cell.axes); !reason.empty()) {
    throw CellFailure(Status::kSkipped, reason);
  }
  const torch::Device device = require_device(name(), axes.device);
  at::set_num_threads(static_cast<int>(*axes.threads));
  const auto mechanism = make_(axes.mechanism, point.options, axes.setting(), kParameterSeed,
                               scalar_type(axes.dtype), device);
  move_parameters(*mechanism, kParameterSeed + 1);
  mechanism->use(*axes.implementation);
  const auto work =
      workload_for(axes, mechanism, inputs_of(point, *mechanism, axes.length, device));

  Outcome outcome;
  if (cell.block == 0) {  // the same in every block
    check_first(point, *work, outcome);
    require_implementation(axes, *mechanism);
    measure_memory(work->timed(), device, outcome);
  }
  measure_time(axes, *work, cost_of(axes, *mechanism),
               {.least_seconds = cell.limits.value("block_seconds", 0.3), .device = device},
               outcome);
  return outcome;
}

}  // namespace lavo
