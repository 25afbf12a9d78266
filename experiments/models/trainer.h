// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "experiments/data/batches.h"
#include "experiments/models/optimizer.h"
#include "experiments/models/transformer.h"

namespace lavo {

struct TrainingOptions {
  int64_t steps = 600;
  int64_t batch = 2;       ///< sequences a forward pass
  int64_t accumulate = 1;  ///< forward and backward passes a step
  int64_t context = 512;   ///< tokens a sequence
  int64_t warmup = 50;     ///< steps
  double learning_rate = 8e-3;
  OptimizerOptions optimizer = {};
  uint64_t seed = 0;
  bool autocast = false;  ///< products in bfloat16, weights and sums in float32
};

/// What the trainer does besides training.
struct TrainingHooks {
  /// Called every few steps with the losses since the last call (nats a token).
  std::function<void(int64_t first_step, std::span<const float> losses, double tokens_per_second)>
      report = {};
  std::filesystem::path resume = {};  ///< a file to go on from, kept up to date; empty: none
  double save_every_s = 60;
};

struct TrainingResult {
  std::vector<float> losses;  ///< of every step, nats a token
  double seconds = 0;         ///< spent on training, earlier parts of a resumed one included
};

/// Trains on random windows of the texts. The same options give the same losses bit by bit on a CPU
/// with the same number of threads, whether or not training was cut off and resumed. Losses are
/// read from the device every few steps only; a loss that is not finite throws
/// CellFailure(kNotFinite) with its step. The file to resume from is left for the caller to
/// remove.
TrainingResult train(Transformer& model, const std::vector<TokenText>& texts,
                     const TrainingOptions& options, const TrainingHooks& hooks = {});

}  // namespace lavo
