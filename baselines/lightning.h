// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_mechanism.h"

namespace lavo {

struct LightningOptions {
  int64_t layer = 0, layers = 1;

  void visit(OptionVisitor& v) {
    v.integer("layer", layer, between(0, 65535), "from 0: the last ones forget least");
    v.integer("layers", layers, between(1, 65536), "of the model", small(24));
  }
  void validate() const;
  /// In a model of several layers it is told which it is.
  void resolve(const Setting& setting);
};

/// Lightning attention: retention with the slopes of ALiBi, which flatten with the layer.
///
///   S_t = exp(g_h) S_{t-1} + k_t v_t^T,   g_h = -(8 / H) (1 - layer / layers) h, h = 0 .. H-1
///   o_t = S_t^T q_t / sqrt(D)
///
/// No normaliser; head 0 never forgets. The decay counts positions, padding included.
/// O(T (D + E + D E)) time, state D E numbers for each head.
/// Source: Qin et al. 2024, arXiv:2405.17381; slopes as in flash-linear-attention, lightning_attn.
class Lightning final : public MechanismOf<Lightning, DeltaMechanism> {
 public:
  using Options = LightningOptions;
  static constexpr auto kName = "lightning";
  static constexpr auto kTitle = "Lightning attention";
  static constexpr auto kCitation = "Qin et al. 2024, arXiv:2405.17381";
  static constexpr auto kGroup = "recurrent";
  static Patterns supported() { return recurrent_patterns(); }
  /// Of MiniMax-01, Li et al. 2025, arXiv:2501.08313
  static json own_layer() {
    return {{"activation", "silu"},
            {"output_norm", "rms"},
            {"output_gate", "sigmoid"},
            {"position_encoding", "none"}};
  }

  Lightning(const Options& options, const Setting&, at::Generator&) : options_(options) {}

 protected:
  void set_gates(const Inputs& in, DeltaRule& rule) const override;
  Tensor step(const Tensor& S_BHDE, const RecurrentToken& token) const override;

 private:
  Tensor log_decays(int64_t heads) const;  ///< [H] float64

  Options options_;
};

}  // namespace lavo
