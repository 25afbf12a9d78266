// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/slot_attention.h"

namespace lavo {

/// Luna: M learned queries P pack the sequence into M rows, and the tokens unpack them.
///
///   K = sum_j k_j w_j^T,  V = sum_j w_j v_j^T,  w_jm = softmax_S(k_j . P_m / sqrt(D))
///   o_t = V^T softmax_M(K^T q_t / sqrt(D))
///
/// causal self attention, where a softmax over the tokens would see later ones:
///
///   a_j = elu(P k_j / sqrt(D)) + 1   (M)
///   u_t = softmax_M(1/t sum_{j <= t} (q_t . k_j) a_j / sqrt(D))
///   o_t = 1/t sum_{j <= t} (u_t . a_j) v_j
///
/// t counts real tokens. Takes pack P (H, M, D), which a layer learns. O(T (C (D + E) + M (D + E)))
/// time with C = 64; state: both sums (float64) and t, M (D + E) numbers for each head.
/// Source: Ma et al. 2021, arXiv:2106.01540, sections 3.1 to 3.3; the scale of the causal form's
/// queries is that of the authors' code.
/// Differs from it: P is learned, and is not changed from layer to layer by what was packed; it
/// meets the keys that are read, without a projection of their own for packing.
class Luna final : public MechanismOf<Luna> {
 public:
  using Options = SlotOptions;
  static constexpr auto kName = "luna";
  static constexpr auto kTitle = "Luna, pack and unpack";
  static constexpr auto kCitation = "Ma et al. 2021, arXiv:2106.01540";
  static constexpr auto kGroup = "slots";
  static constexpr Facts kFacts{.state_option = "slot_count"};
  static Patterns supported() { return {}; }

  Luna(const Options& options, const Setting&, at::Generator&) : options_(options) {}
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
