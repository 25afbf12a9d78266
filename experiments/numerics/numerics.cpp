// SPDX-License-Identifier: MIT
#include "experiments/numerics/numerics.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <set>

#include "experiments/mechanism_axes.h"
#include "lavo/core/check.h"
#include "lavo/core/problem.h"
#include "lavo/parts/running_mean.h"

namespace lavo {
namespace {

/// For predictions only: what a CPU thread with 512-bit vectors reached in float32, and what a cell
/// takes however short it is.
constexpr double kFlopPerSecond = 2e10, kCellSeconds = 0.1;
constexpr int64_t kMeanPiece = 4096;  // tokens that the running mean is fed at a time

struct NumericsPoint {
  NumericsAxes axes;
  json options;

  Shape shape() const {
    return {.B = axes.batch,
            .H = axes.heads,
            .T = axes.length,
            .S = axes.length,
            .D = axes.head_dim,
            .E = axes.head_dim,
            .element_bytes = static_cast<int64_t>(torch::elementSize(scalar_type(axes.dtype)))};
  }
  Setting setting() const {
    return {.heads = axes.heads,
            .head_dim = axes.head_dim,
            .value_dim = axes.head_dim,
            .query_length = axes.length,
            .key_length = axes.length,
            .longest = axes.length,
            .causal = axes.causal};
  }
  uint64_t seed() const { return static_cast<uint64_t>(axes.seed); }
  Inputs inputs(const Mechanism& mechanism, torch::Device device) const {
    return random_inputs(
        mechanism, shape(), scalar_type(axes.dtype), seed() + 1,
        {.device = device, .causal = axes.causal, .scale = axes.scale, .mean = *axes.mean},
        options);
  }
  Pattern pattern() const { return pattern_of(axes.causal, /*cross=*/false); }
};

NumericsPoint numerics_point(const Experiment& experiment, const json& resolved) {
  auto [axes, options] = read_cell<NumericsAxes>(experiment.name(), resolved);
  return {std::move(axes), std::move(options)};
}

std::shared_ptr<Mechanism> mechanism_of(const NumericsPoint& point, torch::Device device) {
  auto mechanism = make_mechanism(point.axes.mechanism, point.options, point.setting(),
                                  point.seed(), scalar_type(point.axes.dtype), device);
  move_parameters(*mechanism, point.seed() + 1);
  return mechanism;
}

/// The positions (from 0) after 1, 2, 4, ... and all tokens.
std::vector<int64_t> doubling_rows(int64_t length) {
  std::set<int64_t> rows = {length - 1};
  for (int64_t tokens = 1; tokens <= length; tokens *= 2) rows.insert(tokens - 1);
  return {rows.begin(), rows.end()};
}

/// Errors at `rows`, the worst of them, and what the arithmetic allows there.
void record_errors(const std::vector<int64_t>& rows, const Tensor& actual, const Tensor& expected,
                   torch::ScalarType type, Outcome& outcome) {
  Series series{.x = "position", .unit = "1", .points = {}};
  double worst = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const double error = worst_row_error(actual.narrow(2, at, 1), expected.narrow(2, at, 1));
    if (!std::isfinite(error)) {
      throw CellFailure(Status::kNotFinite,
                        fmt::format("the row at position {} is not finite, or not "
                                    "zero where the reference is",
                                    rows[i]));
    }
    series.points.emplace_back(static_cast<double>(rows[i] + 1), error);
    worst = std::max(worst, error);
  }
  outcome.metrics["worst_error"] = {worst, "1", Better::kLower, Kind::kBound};
  outcome.metrics["allowed_error"] = {tolerance(type, rows.back() + 1), "1", Better::kNone,
                                      Kind::kBound};
  outcome.series["error"] = series;
}

Outcome output_error(const NumericsPoint& point, torch::Device device) {
  torch::NoGradGuard no_grad;
  const auto mechanism = mechanism_of(point, device);
  const Inputs in = point.inputs(*mechanism, device);
  const auto rows = doubling_rows(point.axes.length);
  const Tensor index = torch::tensor(rows, torch::kLong).to(device);
  const Tensor output = mechanism->forward(in).index_select(2, index);
  Outcome outcome;
  record_errors(rows, output, mechanism->reference(in, rows), in.query.scalar_type(), outcome);
  return outcome;
}

Outcome running_mean_error(const NumericsPoint& point, torch::Device device) {
  torch::NoGradGuard no_grad;
  const Tensor y_BHSR = point.inputs(*mechanism_of(point, device), device).value;
  const auto rows = doubling_rows(point.axes.length);
  RunningMean mean;
  std::vector<Tensor> actual, expected;
  Tensor total = torch::zeros_like(y_BHSR.narrow(2, 0, 1), torch::kFloat64);
  int64_t begin = 0, summed = 0;
  auto row = rows.begin();
  while (begin < point.axes.length) {
    const int64_t count = std::min(kMeanPiece, point.axes.length - begin);
    const Tensor means = mean.next(to_compute(y_BHSR.narrow(2, begin, count)), {});
    for (; row != rows.end() && *row < begin + count; ++row) {
      actual.push_back(means.narrow(2, *row - begin, 1));
      const int64_t more = *row + 1 - summed;
      total = total + y_BHSR.narrow(2, summed, more).sum(2, true, torch::kFloat64);
      summed += more;
      expected.push_back(total / static_cast<double>(summed));
    }
    begin += count;
  }
  Outcome outcome;
  record_errors(rows, torch::cat(actual, 2), torch::cat(expected, 2), y_BHSR.scalar_type(),
                outcome);
  return outcome;
}

Outcome softmax_error(const NumericsPoint& point, torch::Device device) {
  torch::NoGradGuard no_grad;
  const auto mechanism = mechanism_of(point, device);
  Inputs in = point.inputs(*mechanism, device);
  const Tensor output = mechanism->forward(in).to(torch::kFloat64);
  in = in.to(torch::kFloat64);
  in.extra.clear();
  const Tensor exact =
      make_mechanism("vanilla", json::object(), point.setting(), 0, torch::kFloat64, device)
          ->forward(in);
  const double error = ((output - exact).norm() / exact.norm()).item<double>();
  if (!std::isfinite(error)) throw CellFailure(Status::kNotFinite, "the outputs are not finite");
  Outcome outcome;
  outcome.metrics["softmax_error"] = {error, "1", Better::kLower, Kind::kSeeded};
  return outcome;
}

}  // namespace

void NumericsAxes::visit(OptionVisitor& v) {
  const auto size = between(1, 1 << 30);
  v.choice("measure", measure, {"output", "running_mean", "softmax"}, "which error");
  v.text("mechanism", mechanism, "its name in `list mechanisms`");
  v.integer("length", length, size, "tokens");
  v.choice("dtype", dtype, kTypeNames, "of inputs, outputs and parameters");
  v.boolean("causal", causal, "output t depends on nothing later");
  v.integer("batch", batch, size, "B, sequences");
  v.integer("heads", heads, size, "H");
  v.integer("head_dim", head_dim, size, "D = E, width of a head");
  v.number("scale", scale, above(0), "standard deviation of queries and keys");
  v.number("mean", mean, between(-1e3, 1e3),
           "of values, and half of it of keys; unset: 1, and 0 for measure = softmax");
  v.integer("seed", seed, between(0, 1 << 30), "of inputs and random parameters");
  v.text("device", device, "cpu, cuda, cuda:1 ...");
  v.integer("threads", threads, between(1, 4096),
            "of the CPU; unset: all that the process may use");
}

json Numerics::resolve(const json& given) const {
  NumericsPoint point = numerics_point(*this, given);
  parse_device(name(), point.axes.device);
  if (!point.axes.mean) point.axes.mean = point.axes.measure == Measure::kSoftmax ? 0 : 1;
  if (!point.axes.threads) point.axes.threads = default_threads();
  json resolved = write_options(point.axes);
  resolved.update(find_mechanism(point.axes.mechanism).resolve(point.options, point.setting()));
  return resolved;
}

std::string Numerics::meaningless(const json& axes) const {
  if (axes.at("measure") != "running_mean") return "";
  const std::string mechanism = axes.at("mechanism");
  if (!find_mechanism(mechanism).facts.running_mean) return mechanism + " keeps no running mean";
  return axes.at("causal").get<bool>() ? "" : "without causal there is one mean and none runs";
}

std::string Numerics::refused(const json& axes) const {
  const NumericsPoint point = numerics_point(*this, axes);
  if (point.axes.measure == Measure::kRunningMean) return "";
  return refused_pattern(*mechanism_of(point, torch::kCPU), point.pattern());
}

StateUse Numerics::state_use(const json& axes) const {
  const NumericsPoint point = numerics_point(*this, axes);
  return {.mechanism = point.axes.mechanism,
          .options = point.options,
          .setting = point.setting(),
          .type = scalar_type(point.axes.dtype)};
}

Prediction Numerics::predict(const json& axes, const json&) const {
  const NumericsPoint point = numerics_point(*this, axes);
  const Shape shape = point.shape();
  const Cost cost = find_mechanism(point.axes.mechanism)
                        .create(point.options, point.setting(), point.seed())
                        ->cost(shape, point.pattern());
  const double call = cost.flop / (kFlopPerSecond * static_cast<double>(*point.axes.threads));
  // The reference is float64, and so are its copies of the inputs.
  const double wide_inputs = shape.input_bytes() * 8 / static_cast<double>(shape.element_bytes);
  return {.seconds = kCellSeconds + 3 * call,
          .call_seconds = call,
          .memory_bytes = shape.input_bytes() + 2 * wide_inputs + cost.memory_bytes};
}

Outcome Numerics::run(const Case& cell) const {
  const NumericsPoint point = numerics_point(*this, cell.axes);
  if (const std::string reason = refused(cell.axes); !reason.empty()) {
    throw CellFailure(Status::kSkipped, reason);
  }
  const torch::Device device = require_device(name(), point.axes.device);
  at::set_num_threads(static_cast<int>(*point.axes.threads));
  switch (point.axes.measure) {
    case Measure::kRunningMean:
      return running_mean_error(point, device);
    case Measure::kSoftmax:
      return softmax_error(point, device);
    default:
      return output_error(point, device);
  }
}

}  // namespace lavo
