// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_mechanism.h"

namespace lavo {

/// RWKV-7: a decay for each channel, and one more product with the state for each token, of rank 1
/// and free in both directions: a says what is read of the state, b where that is written.
///
///   S_t = Diag(exp(w_t)) S_{t-1} + b_t (S_{t-1}^T a_t)^T + k_t v_t^T;   o_t = S_t^T q_t
///
/// Takes log_decay w, a and b (B, H, T, D); a reads the state before its decay. No scale, no
/// normaliser. In chunks of C = 64 from the state S, with d_rj = exp(sum_{j < m <= r} w_m) and d_r0
/// that from the chunk's start:
///
///   z_r = S^T (d_{r-1,0} a_r) + sum_{m < r} (d_{r-1,m} a_r . k_m) v_m + (d_{r-1,m} a_r . b_m) z_m
///   o_r = S^T (d_r0 q_r) + sum_{m <= r} (d_rm q_r . k_m) v_m + (d_rm q_r . b_m) z_m
///   S <- Diag(d_C0) S + sum_m (d_Cm k_m) v_m^T + (d_Cm b_m) z_m^T
///
/// O(T (C (D + E) + D E)) time, and 16 D more a token for the decays; state D E numbers for each
/// head. A layer makes w = -exp(-1/2) sigmoid(x W), W of rank 64; a = -c, b = c sigmoid(x W), where
/// c is the key, scaled by channel, at length 1.
/// In its own layer a key is multiplied by 1 + (sigmoid(x W) - 1) p, p learned by channel.
/// Source: Peng et al. 2025, arXiv:2503.14456, section 4; left out are the first layer's values in
/// those of the later ones, and the tanh between the factors of W.
class Rwkv7 final : public MechanismOf<Rwkv7> {
 public:
  using Options = NoOptions;
  static constexpr auto kName = "rwkv7";
  static constexpr auto kTitle = "RWKV-7";
  static constexpr auto kCitation = "Peng et al. 2025, arXiv:2503.14456";
  static constexpr auto kGroup = "recurrent";
  static Patterns supported() { return recurrent_patterns(); }
  static json own_layer() {
    return {{"conv", "shift"},
            {"output_norm", "layer"},
            {"skip", "bonus"},
            {"output_gate", "low_rank"},
            {"position_encoding", "none"}};
  }

  Rwkv7(const Options&, const Setting&, at::Generator&) {}
  std::vector<InputSpec> inputs() const override;
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
};

}  // namespace lavo
