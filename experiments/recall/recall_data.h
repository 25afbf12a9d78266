// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include "experiments/recall/recall_tasks.h"
#include "lavo/core/mechanism.h"

namespace lavo {

struct RecallBatch {
  Tensor x_BTX;   ///< a key and a value side by side, X = 2 half
  Tensor asked;   ///< where a value is asked for: places among the B T positions, rising
  Tensor answer;  ///< the value at each of them
};

struct RecallScore {
  double accuracy = 0;
  double bits = 0;  ///< mean cross entropy of an answer
};

/// Batches of a task: fixed random unit vectors stand for its keys and values. Embeddings, training
/// and test are drawn from the seed by streams of their own; sequence r of a stream is a function
/// of the seed and r alone.
class RecallData {
 public:
  RecallData(const RecallTask& task, const RecallSizes& sizes, int64_t half, uint64_t seed,
             torch::Device device = torch::kCPU);

  /// The i-th of so many sequences.
  RecallBatch training_batch(int64_t i, int64_t sequences) const;
  RecallBatch test_batch(int64_t i, int64_t sequences) const;

  /// [values, half]: an answer's logits are its products with these.
  const Tensor& value_embedding() const { return value_embedding_; }

  /// Of anything that gives logits [asked, values], over so many batches of the test.
  using Logits = std::function<Tensor(const RecallBatch& batch)>;
  RecallScore score(const Logits& logits, int64_t batches, int64_t sequences) const;

 private:
  RecallBatch batch(uint64_t stream, int64_t i, int64_t sequences) const;

  const RecallTask& task_;
  RecallSizes sizes_;
  uint64_t seed_;
  Tensor all_keys_, all_values_;  ///< embeddings; behind the last a row of zeros, for none
  Tensor value_embedding_;
};

}  // namespace lavo
