// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_mechanism.h"

namespace lavo {

/// Gated linear attention: a linear recurrence with a decay for each token and channel.
///
///   S_t = Diag(exp(g_t)) S_{t-1} + k_t v_t^T;   o_t = S_t^T q_t / sqrt(D)
///
/// Takes log_decay g (B, H, T, D), <= 0; no normaliser. O(T (D + E + D E)) time, state D E numbers
/// for each head. A layer makes g = logsigmoid(x W) / 16 with W of rank 16.
/// Source: Yang et al. 2023, arXiv:2312.06635, section 4.
class Gla final : public MechanismOf<Gla, DeltaMechanism> {
 public:
  using Options = NoOptions;
  static constexpr auto kName = "gla";
  static constexpr auto kTitle = "gated linear attention";
  static constexpr auto kCitation = "Yang et al. 2023, arXiv:2312.06635";
  static constexpr auto kGroup = "recurrent";
  static Patterns supported() { return recurrent_patterns(); }
  static json own_layer() {
    return {{"expand_k", 0.5},
            {"output_norm", "rms"},
            {"output_gate", "silu"},
            {"position_encoding", "none"}};
  }

  Gla(const Options&, const Setting&, at::Generator&) {}
  std::vector<InputSpec> inputs() const override;

 protected:
  void set_gates(const Inputs& in, DeltaRule& rule) const override;
  Tensor step(const Tensor& S_BHDE, const RecurrentToken& token) const override;
};

}  // namespace lavo
