// SPDX-License-Identifier: MIT
#include "experiments/state_tracking/state_task.h"

#include <algorithm>

namespace lavo {
namespace {

// Parts of the seed's number space: training and test have streams of their own. Short sequences
// still coincide, for there are few.
constexpr uint64_t kTrainStream = 0x7472'6169'6e00'0000, kTestStream = 0x7465'7374'0000'0000;
constexpr int64_t kScoredAtOnce = 4096;  ///< tokens

class StateBatches final : public BatchSource {
 public:
  StateBatches(const Automaton& automaton, const BatchOptions& options, torch::Device device,
               int64_t first)
      : automaton_(automaton), options_(options), device_(device), index_(first) {}
  Batch next() override {
    const Sequences drawn =
        draw_sequences(automaton_, options_.seed ^ kTrainStream, index_++ * options_.batch,
                       options_.batch, options_.context);
    return {{.input = drawn.tokens.to(device_)}, drawn.states.to(device_)};
  }

 private:
  const Automaton& automaton_;
  BatchOptions options_;
  torch::Device device_;
  int64_t index_;
};

Metric seeded_metric(double value, const std::string& unit, Better better) {
  return {.value = value, .unit = unit, .better = better, .kind = Kind::kSeeded};
}

}  // namespace

Sequences draw_sequences(const Automaton& automaton, uint64_t seed, int64_t first_row, int64_t rows,
                         int64_t length) {
  Sequences drawn{torch::empty({rows, length}, torch::kLong),
                  torch::empty({rows, length}, torch::kLong)};
  auto* token = drawn.tokens.data_ptr<int64_t>();
  auto* state = drawn.states.data_ptr<int64_t>();
  for (int64_t row = 0; row < rows; ++row) {
    uint64_t place = mix(mix(seed) ^ static_cast<uint64_t>(first_row + row));
    int64_t now = 0;
    for (int64_t t = 0; t < length; ++t) {
      *token = static_cast<int64_t>(mix(place++) % static_cast<uint64_t>(automaton.tokens));
      *state++ = now = automaton.next(now, *token++);
    }
  }
  return drawn;
}

StateTask::StateTask(const Automaton& automaton, StateScoring scoring)
    : automaton_(automaton), scoring_(std::move(scoring)) {}

// The number is raised when the sequences of a seed become others.
std::string StateTask::digest() const { return automaton_.name + "/1"; }

std::unique_ptr<BatchSource> StateTask::batches(const BatchOptions& options, torch::Device device,
                                                int64_t first) const {
  return std::make_unique<StateBatches>(automaton_, options, device, first);
}

StateScore StateTask::score(const Logits& logits, int64_t length) const {
  const int64_t rows_at_once = std::max<int64_t>(1, kScoredAtOnce / length);
  double right = 0, nats = 0;
  for (int64_t row = 0; row < scoring_.sequences; row += rows_at_once) {
    const int64_t rows = std::min(rows_at_once, scoring_.sequences - row);
    const Sequences drawn =
        draw_sequences(automaton_, scoring_.seed ^ kTestStream, row, rows, length);
    const Tensor said = logits(drawn.tokens).to(torch::kCPU, torch::kFloat64);
    right += said.argmax(-1).eq(drawn.states).sum().item<double>();
    nats +=
        at::cross_entropy_loss(said.flatten(0, 1), drawn.states.flatten(), {}, at::Reduction::Sum)
            .item<double>();
  }
  const auto tokens = static_cast<double>(scoring_.sequences * length);
  return {right / tokens, to_bits(nats / tokens)};
}

Outcome StateTask::scores(Model& model, const Progress& progress) const {
  torch::NoGradGuard no_grad;
  model.eval();
  Outcome outcome;
  Series& accuracy = outcome.series["accuracy"] = {"length", "1", {}};
  Series& loss = outcome.series["loss"] = {"length", "bit/token", {}};
  for (const int64_t length : scoring_.lengths) {
    progress(fmt::format("scoring at length {}", length));
    const StateScore score = this->score(
        [&](const Tensor& tokens) { return model.forward(tokens.to(model.device())); }, length);
    if (!std::isfinite(score.bits)) {
      throw CellFailure(Status::kNotFinite,
                        fmt::format("the loss at length {} is not finite", length));
    }
    accuracy.points.emplace_back(static_cast<double>(length), score.accuracy);
    loss.points.emplace_back(static_cast<double>(length), score.bits);
  }
  outcome.metrics["accuracy"] = seeded_metric(accuracy.points.front().second, "1", Better::kHigher);
  outcome.metrics["extrapolated_accuracy"] =
      seeded_metric(accuracy.points.back().second, "1", Better::kHigher);
  outcome.metrics["loss"] = seeded_metric(loss.points.front().second, "bit/token", Better::kLower);
  outcome.metrics["chance"] = {automaton_.chance(), "1", Better::kNone, Kind::kExact};
  outcome.notes["task"] = automaton_.name;
  outcome.notes["sequences_scored"] = scoring_.sequences;
  return outcome;
}

}  // namespace lavo
