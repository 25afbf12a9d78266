// SPDX-License-Identifier: MIT
// What a model learns, and how well it has: batches, a loss and scores. The trainer knows nothing
// else of text, labels or forecasts.
#pragma once

#include <cmath>

#include "experiments/experiment.h"
#include "experiments/models/model.h"

namespace lavo {

/// Losses are in nats where they are made small, in bits where they are told.
inline double to_bits(double nats) { return nats / std::log(2.0); }

struct Batch {
  ModelInput input;
  Tensor target;
};

struct BatchOptions {
  int64_t batch = 2;      ///< sequences
  int64_t context = 512;  ///< tokens a sequence
  uint64_t seed = 0;
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual Batch next() = 0;
};

using Progress = std::function<void(const std::string&)>;

class Task {
 public:
  virtual ~Task() = default;

  /// Of everything that batches and scores are made of, but for seeds and sizes.
  virtual std::string digest() const = 0;

  /// Training batches from number `first` on. Batch i is a function of the options and i alone, so
  /// that training goes on anywhere with the batches it would have had. The task outlives it.
  virtual std::unique_ptr<BatchSource> batches(const BatchOptions& options, torch::Device device,
                                               int64_t first) const = 0;

  /// To be made small: a mean, so that equal parts of a batch have the batch's loss as their mean.
  /// Unless a task says otherwise the cross entropy of each token's logits, in nats; targets [B, T]
  /// int64, of which -100 counts for nothing.
  virtual Tensor loss(Model& model, const Batch& batch) const;

  /// What a record says of a trained model.
  virtual Outcome scores(Model& model, const Progress& progress) const = 0;
};

}  // namespace lavo
