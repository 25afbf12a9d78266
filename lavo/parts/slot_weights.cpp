// SPDX-License-Identifier: MIT
#include "lavo/parts/slot_weights.h"

#include <limits>

namespace lavo {
namespace {

constexpr double kNothingLeft = -std::numeric_limits<double>::infinity();

Tensor slot_blocks(const Tensor& x) {
  return x.unflatten(-2, {x.size(-2) / kSlotBlock, kSlotBlock});
}

/// sum_{j < i <= last} x_i for each j of (..,C,M), added up from the end.
Tensor decay_until_last(const Tensor& x) {
  const Tensor behind = x.narrow(-2, 1, x.size(-2) - 1).flip(-2).cumsum(-2).flip(-2);
  return torch::cat({behind, torch::zeros_like(x.narrow(-2, 0, 1))}, -2);
}

/// exp(sum_{j < i <= r} x_i) for pairs of (..,C,M), each sum for itself: (..,r,j,M), 0 for j > r.
Tensor left_between(const Tensor& x) {
  const int64_t C = x.size(-2);
  const Tensor pairs = torch::ones({C, C}, x.options().dtype(torch::kBool));
  // At (i, j): x_i where i > j.
  const Tensor counted = x.unsqueeze(-2).masked_fill(pairs.triu(0).unsqueeze(-1), 0);
  return counted.cumsum(-3).masked_fill(pairs.triu(1).unsqueeze(-1), kNothingLeft).exp();
}

Tensor scores_of(const Tensor& a, const Tensor& b) { return torch::matmul(a, b.transpose(-2, -1)); }

}  // namespace

SlotWeights::SlotWeights(const Tensor& slots, const Tensor& log_decay)
    : slots_(slots), log_decay_(log_decay) {
  if (!log_decay.defined()) return;
  inside_ = left_between(slot_blocks(log_decay)) * slot_blocks(slots).unsqueeze(-3);
  for (int64_t first = kSlotBlock; first < slots.size(-2); first += kSlotBlock) {
    const Tensor until_first = decay_until_last(log_decay.narrow(-2, 0, first + 1));
    const Tensor far = slots.narrow(-2, 0, first) * until_first.narrow(-2, 0, first).exp();
    const Tensor since = log_decay.narrow(-2, first + 1, kSlotBlock - 1).cumsum(-2);
    const Tensor begin = torch::zeros_like(log_decay.narrow(-2, first, 1));
    bridges_.push_back({far, torch::cat({begin, since}, -2).exp()});
  }
}

Tensor SlotWeights::filled(const Tensor& q, const Tensor& k) const {
  if (!log_decay_.defined()) return torch::matmul(scores_of(q, k).tril(), slots_);
  const Tensor q_blocks = slot_blocks(q);
  const Tensor scores = scores_of(q_blocks, slot_blocks(k)).unsqueeze(-2);  // (..,r,1,j)
  const Tensor own = torch::matmul(scores, inside_).squeeze(-2);            // (B,H,N,n,16,M)
  std::vector<Tensor> rows = {own.select(3, 0)};
  for (const auto& [far, near] : bridges_) {
    const int64_t first = far.size(-2), block = first / kSlotBlock;
    const Tensor earlier = scores_of(q_blocks.select(3, block), k.narrow(-2, 0, first));
    rows.push_back(own.select(3, block) + near * torch::matmul(earlier, far));
  }
  return torch::cat(rows, -2);
}

Tensor SlotWeights::read(const Tensor& p, const Tensor& v) const {
  if (!log_decay_.defined()) return torch::matmul(scores_of(p, slots_).tril(), v);
  const Tensor p_blocks = slot_blocks(p);
  const Tensor share = torch::matmul(inside_, p_blocks.unsqueeze(-1)).squeeze(-1);  // (..,r,j)
  const Tensor own = torch::matmul(share, slot_blocks(v));
  std::vector<Tensor> rows = {own.select(3, 0)};
  for (const auto& [far, near] : bridges_) {
    const int64_t first = far.size(-2), block = first / kSlotBlock;
    const Tensor earlier = scores_of(p_blocks.select(3, block) * near, far);
    rows.push_back(own.select(3, block) + torch::matmul(earlier, v.narrow(-2, 0, first)));
  }
  return torch::cat(rows, -2);
}

Tensor SlotWeights::at_end() const {
  return log_decay_.defined() ? slots_ * decay_until_last(log_decay_).exp() : slots_;
}

Tensor SlotWeights::since_begin() const {
  return log_decay_.defined() ? log_decay_.cumsum(-2).exp() : Tensor();
}

}  // namespace lavo
