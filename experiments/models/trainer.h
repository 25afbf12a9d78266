// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "experiments/models/optimizer.h"
#include "experiments/models/task.h"

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
  /// Called every few steps with the losses since the last call.
  std::function<void(int64_t first_step, std::span<const float> losses, double tokens_per_second)>
      report = {};
  std::filesystem::path resume = {};  ///< a file to go on from, kept up to date; empty: none
  std::string identity = {};          ///< of what is trained: a resume file of another is not taken
  /// Told in a line, before the first step, why a resume file was set aside.
  Progress warn = [](const std::string&) {};
  double save_every_s = 60;
};

struct TrainingResult {
  std::vector<float> losses;  ///< of every step
  double seconds = 0;         ///< spent on training, earlier parts of a resumed one included
};

/// Trains on the task's batches. The same options give the same losses bit by bit on a CPU with the
/// same number of threads, whether or not training was cut off and resumed. Losses are read from
/// the device every few steps only; a loss that is not finite throws CellFailure(kNotFinite) with
/// its step. A resume file that is damaged, or of another identity, is set aside, and training
/// begins anew. The file to resume from is left for the caller to remove.
TrainingResult train(Model& model, const Task& task, const TrainingOptions& options,
                     const TrainingHooks& hooks = {});

}  // namespace lavo
