// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_mechanism.h"

namespace lavo {

/// Kimi delta attention: the delta rule on a state that decays for each token and channel.
///
///   S' = Diag(exp(g_t)) S_{t-1};   S_t = S' + beta_t k_t (v_t - S'^T k_t)^T
///   o_t = S_t^T q_t / sqrt(D)
///
/// Takes log_decay g (B, H, T, D), <= 0, and beta (B, H, T), 0 to 1 (to 2). Keys are of unit
/// length. O(T (C (D + E) + D E)) time with chunks of C = 64, state D E numbers for each head.
/// Source: Kimi Team 2025, arXiv:2510.26692, section 3.
class Kda final : public MechanismOf<Kda, DeltaMechanism> {
 public:
  using Options = NoOptions;
  static constexpr auto kName = "kda";
  static constexpr auto kTitle = "Kimi delta attention";
  static constexpr auto kCitation = "Kimi Team 2025, arXiv:2510.26692";
  static constexpr auto kGroup = "recurrent";
  static Patterns supported() { return recurrent_patterns(); }
  static json own_layer() {
    return {{"conv", "short"},
            {"activation", "silu"},
            {"qk_norm", "l2"},
            {"output_norm", "rms"},
            {"output_gate", "low_rank_sigmoid"},
            {"position_encoding", "none"}};
  }

  Kda(const Options&, const Setting&, at::Generator&) {}
  std::vector<InputSpec> inputs() const override;
  bool unit_queries() const override { return true; }
  bool unit_keys() const override { return true; }

 protected:
  void set_gates(const Inputs& in, DeltaRule& rule) const override;
  Tensor step(const Tensor& S_BHDE, const RecurrentToken& token) const override;
};

}  // namespace lavo
