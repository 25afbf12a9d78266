// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_mechanism.h"

namespace lavo {

/// Mamba-2, state space duality: a linear recurrence with one decay for each token and head.
///
///   S_t = exp(g_t) S_{t-1} + k_t v_t^T;   o_t = S_t^T q_t
///
/// Takes log_decay g (B, H, T), <= 0, in the paper dt_t A; no normaliser and no scale. In its terms
/// k is B, q is C and v is dt x. O(T (D + E + D E)) time, state D E numbers for each head.
/// Source: Dao and Gu 2024, arXiv:2405.21060, section 5.
class Mamba2 final : public MechanismOf<Mamba2, DeltaMechanism> {
 public:
  using Options = NoOptions;
  static constexpr auto kName = "mamba2";
  static constexpr auto kTitle = "Mamba-2 (SSD)";
  static constexpr auto kCitation = "Dao and Gu 2024, arXiv:2405.21060";
  static constexpr auto kGroup = "state space";
  static Patterns supported() { return recurrent_patterns(); }
  static json own_layer() { return mamba_layer(); }

  Mamba2(const Options&, const Setting&, at::Generator&) {}
  std::vector<InputSpec> inputs() const override;

 protected:
  void set_gates(const Inputs& in, DeltaRule& rule) const override;
  Tensor step(const Tensor& S_BHDE, const RecurrentToken& token) const override;
  double scale(int64_t) const override { return 1; }
};

}  // namespace lavo
