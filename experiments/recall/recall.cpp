// SPDX-License-Identifier: MIT
#include "experiments/recall/recall.h"

#include <ATen/Parallel.h>

#include "baselines/table.h"
#include "experiments/mechanism_axes.h"
#include "experiments/models/model.h"
#include "experiments/place.h"
#include "experiments/recall/recall_training.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr auto kRecall = "recall";
constexpr uint64_t kWeightStream = 0x7765'6967'6874'0000;  // of the seed's number space

const RecallTask& task_of(const RecallAxes& a) {
  return recall_tasks().at(static_cast<size_t>(a.task));
}

RecallSizes sequence_sizes(const RecallAxes& a) {
  return {.pairs = a.pairs, .keys = a.keys, .values = a.values};
}

RecallLayerSizes layer_sizes(const RecallAxes& a) {
  return {.input = 2 * a.half,
          .head_dim = a.head_dim,
          .output = a.half,
          .length = task_of(a).length(sequence_sizes(a))};
}

std::shared_ptr<Mechanism> bare_mechanism(const RecallAxes& a, const json& options) {
  return find_mechanism(a.mechanism).create(options, recall_setting(layer_sizes(a)), 0);
}

}  // namespace

void RecallAxes::visit(OptionVisitor& v) {
  v.choice("task", task, recall_task_names(), "what is to be recalled");
  v.text("mechanism", mechanism, "its name in `list mechanisms`");
  v.integer("pairs", pairs, between(1, 1 << 20), "N, of a key and a value in a sequence");
  v.integer("keys", keys, between(1, 1 << 20), "that there are; no fewer than pairs");
  v.integer("values", values, between(2, 1 << 20), "that there are");
  v.integer("half", half, between(1, 65536), "numbers of a key and of a value: half a position");
  v.integer("head_dim", head_dim, between(1, 65536), "D = E, width of the one head");
  v.integer("steps", steps, between(1, 1e9), "of the optimizer");
  v.integer("batch", batch, between(1, 65536), "sequences a step");
  v.number("learning_rate", learning_rate, above(0), "of AdamW, constant");
  v.integer("test_batches", test_batches, between(1, 1e9), "that are scored");
  v.integer("seed", seed, between(0, 1e15), "of embeddings, weights and sequences");
  v.integer("threads", threads, between(1, 4096), "of the CPU");
  v.text("device", device, "cpu, cuda or cuda:i");
}

json Recall::resolve(const json& given) const {
  const auto [a, options] = read_cell<RecallAxes>(name(), given);
  require_option(a.pairs <= a.keys, "pairs",
                 "recall: axis 'pairs' must be at most keys, got {} and {}", a.pairs, a.keys);
  parse_device(name(), a.device);
  json axes = find_mechanism(a.mechanism).resolve(options, recall_setting(layer_sizes(a)));
  for (auto it = axes.begin(); it != axes.end();) {
    it = it->is_null() ? axes.erase(it) : std::next(it);
  }
  axes.update(write_options(a));
  return axes;
}

std::string Recall::refused(const json& axes) const {
  const auto [a, options] = read_cell<RecallAxes>(kRecall, axes);
  return refused_pattern(*bare_mechanism(a, options), Pattern::kCausalSelf);
}

Prediction Recall::predict(const json& axes, const json&) const {
  const auto [a, options] = read_cell<RecallAxes>(kRecall, axes);
  const RecallLayerSizes sizes = layer_sizes(a);
  const Shape shape{
      .B = a.batch, .T = sizes.length, .S = sizes.length, .D = a.head_dim, .E = a.head_dim};
  const Cost cost = bare_mechanism(a, options)->cost(shape, Pattern::kCausalSelf);
  const auto positions = static_cast<double>(a.batch * sizes.length);
  const auto answers = static_cast<double>(a.batch * a.pairs);
  const double product_flop = 2 * positions * static_cast<double>(3 * a.head_dim * sizes.input) +
                              2 * answers * static_cast<double>(a.half * (a.head_dim + a.values));
  // Reached by layers of this size on a thread with 256-bit vectors; mechanisms are many small steps.
  const double rate = a.device == "cpu" ? static_cast<double>(a.threads) : 500;
  const double overhead_s = a.device == "cpu" ? 1e-3 : 5e-3;
  const double forward_s = (product_flop / 5e10 + cost.flop / 1.5e10) / rate + overhead_s;
  const double step_s = 3 * forward_s;
  const double scoring_s = static_cast<double>(a.test_batches) * forward_s;
  const double numbers = positions * static_cast<double>(4 * sizes.input + 8 * a.head_dim);
  return {.seconds = static_cast<double>(a.steps) * step_s + kScorings * scoring_s,
          .call_seconds = step_s,
          .memory_bytes = 4 * (numbers + 3 * positions * static_cast<double>(a.values)) +
                          cost.memory_bytes + cost.backward_memory_bytes};
}

StateUse Recall::state_use(const json& axes) const {
  const auto [a, options] = read_cell<RecallAxes>(kRecall, axes);
  return {.mechanism = a.mechanism, .options = options, .setting = recall_setting(layer_sizes(a))};
}

// The number is raised when the sequences of a seed become others.
std::string Recall::data_digest(const json& axes, const std::string&) const {
  return task_of(read_cell<RecallAxes>(kRecall, axes).first).name + "/1";
}

Outcome Recall::run(const Case& cell) const {
  const auto [a, options] = read_cell<RecallAxes>(kRecall, cell.axes);
  at::set_num_threads(static_cast<int>(a.threads));
  const torch::Device device = require_device(name(), a.device);
  const auto seed = static_cast<uint64_t>(a.seed);
  const RecallData data(task_of(a), sequence_sizes(a), a.half, seed, device);
  auto generator = make_generator(mix(seed ^ kWeightStream));
  RecallLayer layer(a.mechanism, options, layer_sizes(a), generator);
  layer.to(device);
  const RecallResult result = train_recall(layer, data,
                                           {.steps = a.steps,
                                            .batch = a.batch,
                                            .learning_rate = a.learning_rate,
                                            .test_batches = a.test_batches},
                                           cell.progress);
  Outcome outcome;
  auto& metrics = outcome.metrics;
  metrics["accuracy"] = {result.score.accuracy, "1", Better::kHigher, Kind::kSeeded};
  metrics["loss"] = {result.score.bits, "bit/answer", Better::kLower, Kind::kSeeded};
  metrics["chance"] = {1 / static_cast<double>(a.values), "1", Better::kNone, Kind::kExact};
  metrics["parameters"] = {static_cast<double>(parameter_count(layer)), "1", Better::kNone,
                           Kind::kExact};
  metrics["training_time"] = {result.seconds, "s", Better::kLower, Kind::kTiming};
  if (find_mechanism(a.mechanism).facts.has_state) {
    const int64_t bytes = layer.state_bytes(data.test_batch(0, 1).x_BTX);
    metrics["state_bytes"] = {static_cast<double>(bytes), "B", Better::kLower, Kind::kExact};
  }
  outcome.series["accuracy"] = {"step", "1", result.accuracy};
  outcome.notes["task"] = task_of(a).name;
  return outcome;
}

}  // namespace lavo
