// SPDX-License-Identifier: MIT
#pragma once

#include <future>

#include "experiments/data/tokenizer.h"
#include "lavo/core/mechanism.h"

namespace lavo {

/// Next-token batches at random places of the documents, never across two. Batch i is a function of
/// the seed and i alone, so that training goes on anywhere with the batches it would have had.
/// While one is used, a background thread prepares the next one (in pinned memory for a CUDA
/// device).
class Batches {
 public:
  struct Batch {
    Tensor input, target;  ///< [batch, context] int64; target is one token on
  };

  /// `texts` must outlive it. Throws InputError where no document is longer than `context`.
  Batches(const std::vector<TokenText>& texts, int64_t batch, int64_t context, uint64_t seed,
          torch::Device device, int64_t first = 0);
  ~Batches();
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  Batch next();

 private:
  Tensor gather(int64_t index) const;
  void prepare(int64_t index);

  const std::vector<TokenText>& texts_;
  std::vector<int64_t> starts_until_;  ///< places where a sequence can begin, summed over documents
  int64_t batch_, context_;
  uint64_t seed_;
  torch::Device device_;
  int64_t index_;
  std::future<Tensor> prepared_;
};

}  // namespace lavo
