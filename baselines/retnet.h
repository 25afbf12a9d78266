// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_mechanism.h"

namespace lavo {

/// Retention: a linear recurrence in which each head forgets at a rate of its own.
///
///   S_t = exp(g_h) S_{t-1} + k_t v_t^T,   g_h = log(1 - 2^(-5-h)), h = 0 .. H-1
///   o_t = S_t^T q_t / sqrt(D)
///
/// No normaliser. The decay counts positions, padding included. O(T (D + E + D E)) time, state D E
/// numbers for each head.
/// Source: Sun et al. 2023, arXiv:2307.08621, section 2.1; its rotation, group norm and gate belong
/// to the layer.
class RetNet final : public MechanismOf<RetNet, DeltaMechanism> {
 public:
  using Options = NoOptions;
  static constexpr auto kName = "retnet";
  static constexpr auto kTitle = "RetNet";
  static constexpr auto kCitation = "Sun et al. 2023, arXiv:2307.08621";
  static constexpr auto kGroup = "recurrent";
  static Patterns supported() { return recurrent_patterns(); }
  static json own_layer() {
    return {{"expand_v", 2.0}, {"output_norm", "rms"}, {"output_gate", "silu"}};
  }

  RetNet(const Options&, const Setting&, at::Generator&) {}

 protected:
  void set_gates(const Inputs& in, DeltaRule& rule) const override;
  Tensor step(const Tensor& S_BHDE, const RecurrentToken& token) const override;
};

}  // namespace lavo
