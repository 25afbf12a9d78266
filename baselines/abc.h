// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/slot_attention.h"

namespace lavo {

/// Attention with bounded-memory control: M slots, each a mean of the keys and of the values so
/// far, weighted by a softmax of its own over the tokens.
///
///   w_tjm = exp(l_jm - z_tm),  z_tm = log sum_{j <= t} exp(l_jm)
///   K_t = sum_{j <= t} k_j w_tj^T   (D, M)      V_t = sum_{j <= t} w_tj v_j^T   (M, E)
///   o_t = V_t^T softmax_M(K_t^T q_t / sqrt(D))
///
/// Takes slot_logits l (B, H, S, M). Not causal, or cross: the sums run over every key. A mean that
/// goes on is a memory with decays: log_decay = z_{t-1} - z_t, slots = exp(l_t - z_t). O(T (C (D +
/// E) + M (D + E))) time with C = 64; state: K, V and z (float64), M (D + E + 1) numbers for each
/// head. A layer makes l = x W.
/// Source: Peng et al. 2022, arXiv:2110.02488, section 3, in its cumulative form.
/// Differs from it: one set of logits for keys and for values, as later code has it.
class Abc final : public MechanismOf<Abc> {
 public:
  using Options = SlotOptions;
  static constexpr auto kName = "abc";
  static constexpr auto kTitle = "bounded-memory control";
  static constexpr auto kCitation = "Peng et al. 2022, arXiv:2110.02488";
  static constexpr auto kGroup = "slots";
  static constexpr Facts kFacts{.state_option = "slot_count"};
  static Patterns supported() { return {}; }

  Abc(const Options& options, const Setting&, at::Generator&) : options_(options) {}
  std::vector<InputSpec> inputs() const override;
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;
  std::optional<MemoryView> inspect(const Inputs& in, int64_t row) override;

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
  void check(const Inputs& in, const State* state) const override;

 private:
  Options options_;
};

}  // namespace lavo
