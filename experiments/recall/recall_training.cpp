// SPDX-License-Identifier: MIT
#include "experiments/recall/recall_training.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "experiments/models/optimizer.h"

namespace lavo {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

RecallResult train_recall(RecallLayer& layer, const RecallData& data,
                          const RecallTraining& training,
                          const std::function<void(const std::string&)>& progress) {
  AdamW optimizer(layer, {.weight_decay = 0.01, .clip = 0, .beta2 = 0.999, .decays_all = true});
  const Tensor values = data.value_embedding().t();
  const auto logits = [&](const RecallBatch& batch) {
    return torch::matmul(layer.forward(batch.x_BTX, batch.asked), values);
  };
  const int64_t every = std::max<int64_t>(1, training.steps / kScorings);
  RecallResult result;
  auto started = Clock::now();
  layer.train();
  for (int64_t step = 1; step <= training.steps; ++step) {
    const RecallBatch batch = data.training_batch(step - 1, training.batch);
    at::cross_entropy_loss(logits(batch), batch.answer).backward();
    optimizer.step(training.learning_rate);
    if (step % every != 0 && step != training.steps) continue;
    result.seconds += seconds_since(started);
    layer.eval();
    result.score = data.score(logits, training.test_batches, training.batch);
    if (!std::isfinite(result.score.bits)) {
      throw CellFailure(
          Status::kNotFinite,
          fmt::format("the loss is not finite after step {} of {}", step, training.steps));
    }
    result.accuracy.emplace_back(static_cast<double>(step), result.score.accuracy);
    progress(
        fmt::format("step {}/{}, accuracy {:.3f}", step, training.steps, result.score.accuracy));
    layer.train();
    started = Clock::now();
  }
  layer.eval();
  return result;
}

}  // namespace lavo
