// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_mechanism.h"

namespace lavo {

/// Gated DeltaNet: the delta rule on a state that decays for each token and head.
///
///   S' = exp(g_t) S_{t-1};   S_t = S' + beta_t k_t (v_t - S'^T k_t)^T
///   o_t = S_t^T q_t / sqrt(D)
///
/// Takes log_decay g (B, H, T), <= 0, and beta (B, H, T), 0 to 1 (to 2). Keys are of unit length.
/// O(T (C (D + E) + D E)) time with chunks of C = 64, state D E numbers for each head.
/// Source: Yang et al. 2024, arXiv:2412.06464, section 3.
class GatedDeltaNet final : public MechanismOf<GatedDeltaNet, DeltaMechanism> {
 public:
  using Options = NoOptions;
  static constexpr auto kName = "gated_deltanet";
  static constexpr auto kTitle = "Gated DeltaNet";
  static constexpr auto kCitation = "Yang et al. 2024, arXiv:2412.06464";
  static constexpr auto kGroup = "recurrent";
  static Patterns supported() { return recurrent_patterns(); }
  static json own_layer() {
    return {{"conv", "short"},
            {"activation", "silu"},
            {"qk_norm", "l2"},
            {"expand_v", 2.0},
            {"output_norm", "rms"},
            {"output_gate", "silu"},
            {"position_encoding", "none"}};
  }

  GatedDeltaNet(const Options&, const Setting&, at::Generator&) {}
  std::vector<InputSpec> inputs() const override;
  bool unit_queries() const override { return true; }
  bool unit_keys() const override { return true; }

 protected:
  void set_gates(const Inputs& in, DeltaRule& rule) const override;
  Tensor step(const Tensor& S_BHDE, const RecurrentToken& token) const override;
};

}  // namespace lavo
