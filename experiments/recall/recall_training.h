// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/experiment.h"
#include "experiments/recall/recall_data.h"
#include "experiments/recall/recall_layer.h"

namespace lavo {

constexpr int64_t kScorings = 8;  ///< during training, about

struct RecallTraining {
  int64_t steps = 400;
  int64_t batch = 16;  ///< sequences, of training and test alike
  double learning_rate = 3e-3;
  int64_t test_batches = 16;
};

struct RecallResult {
  RecallScore score;                                ///< after the last step
  std::vector<std::pair<double, double>> accuracy;  ///< over steps, about eight times
  double seconds = 0;                               ///< of training, without scoring
};

/// Trains by AdamW as PyTorch has it (decay 0.01 of everything, betas 0.9 and 0.999), no clipping,
/// no schedule. Throws CellFailure(kNotFinite) where the loss at a scoring is not finite.
RecallResult train_recall(RecallLayer& layer, const RecallData& data,
                          const RecallTraining& training,
                          const std::function<void(const std::string&)>& progress);

}  // namespace lavo
