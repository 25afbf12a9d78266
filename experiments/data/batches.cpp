// SPDX-License-Identifier: MIT
#include "experiments/data/batches.h"

#include <algorithm>

#include "lavo/core/check.h"
#include "lavo/core/random.h"

namespace lavo {
Batches::Batches(const std::vector<TokenText>& texts, int64_t batch, int64_t context, uint64_t seed,
                 torch::Device device, int64_t first)
    : texts_(texts), batch_(batch), context_(context), seed_(seed), device_(device), index_(first) {
  int64_t total = 0;
  for (const TokenText& text : texts) {
    total += std::max<int64_t>(0, text.size() - context);
    starts_until_.push_back(total);
  }
  require<InputError>(total > 0, "no training document is longer than the context of {} tokens",
                      context);
  prepare(index_);
}

Batches::~Batches() {
  if (prepared_.valid()) prepared_.wait();
}

void Batches::prepare(int64_t index) {
  prepared_ = std::async(std::launch::async, [this, index] { return gather(index); });
}

Tensor Batches::gather(int64_t index) const {
  Tensor tokens = torch::empty({batch_, context_ + 1}, torch::kLong);
  for (int64_t row = 0; row < batch_; ++row) {
    const uint64_t draw = mix(mix(seed_) ^ static_cast<uint64_t>(index * batch_ + row));
    const auto place = static_cast<int64_t>(draw % static_cast<uint64_t>(starts_until_.back()));
    const auto document = std::ranges::upper_bound(starts_until_, place) - starts_until_.begin();
    const int64_t before = document == 0 ? 0 : starts_until_[static_cast<size_t>(document - 1)];
    texts_[static_cast<size_t>(document)].copy(place - before, context_ + 1,
                                               tokens.data_ptr<int64_t>() + row * (context_ + 1));
  }
  return device_.is_cuda() ? tokens.pin_memory() : tokens;
}

Batches::Batch Batches::next() {
  const Tensor tokens = prepared_.get().to(device_, torch::kLong, /*non_blocking=*/true);
  prepare(++index_);
  return {tokens.narrow(1, 0, context_), tokens.narrow(1, 1, context_)};
}

}  // namespace lavo
