// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_mechanism.h"

namespace lavo {

/// DeltaNet: what a key recalls is replaced by the value, as far as beta goes.
///
///   S_t = S_{t-1} + beta_t k_t (v_t - S_{t-1}^T k_t)^T;   o_t = S_t^T q_t / sqrt(D)
///
/// Takes beta (B, H, T), 0 to 1; to 2 for negative eigenvalues. Keys are of unit length, or the
/// state may grow without bound. O(T (C (D + E) + D E)) time with chunks of C = 64, state D E
/// numbers for each head.
/// Source: Yang et al. 2024, arXiv:2406.06484, section 3.
class DeltaNet final : public MechanismOf<DeltaNet, DeltaMechanism> {
 public:
  using Options = NoOptions;
  static constexpr auto kName = "deltanet";
  static constexpr auto kTitle = "DeltaNet";
  static constexpr auto kCitation = "Yang et al. 2024, arXiv:2406.06484";
  static constexpr auto kGroup = "recurrent";
  static Patterns supported() { return recurrent_patterns(); }
  static json own_layer() {
    return {{"conv", "short"},
            {"activation", "silu"},
            {"qk_norm", "l2"},
            {"output_norm", "rms"},
            {"position_encoding", "none"}};
  }

  DeltaNet(const Options&, const Setting&, at::Generator&) {}
  std::vector<InputSpec> inputs() const override;
  bool unit_queries() const override { return true; }
  bool unit_keys() const override { return true; }

 protected:
  void set_gates(const Inputs& in, DeltaRule& rule) const override;
  Tensor step(const Tensor& S_BHDE, const RecurrentToken& token) const override;
};

}  // namespace lavo
