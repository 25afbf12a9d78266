// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/slot_attention.h"

namespace lavo {

/// Gated slot attention: slots that forget by gates and are read by a softmax.
///
///   K_t = K_{t-1} Diag(exp(g_t)) + k_t s_t^T   (D, M)
///   V_t = Diag(exp(g_t)) V_{t-1} + s_t v_t^T   (M, E)
///   o_t = V_t^T softmax_M(K_t^T q_t / sqrt(D))
///
/// Takes slots s and log_decay g <= 0, both (B, H, T, M). Causal self attention. O(T (C (D + E) +
/// M (D + E))) time with C = 64, state M (D + E) numbers for each head.
/// A layer makes g = logsigmoid(x W) / 8 and s = 1 - exp(g).
/// Source: Zhang et al. 2024, arXiv:2409.07146, section 3; its norms and feature maps belong to the
/// layer.
class Gsa final : public MechanismOf<Gsa> {
 public:
  using Options = SlotOptions;
  static constexpr auto kName = "gsa";
  static constexpr auto kTitle = "gated slot attention";
  static constexpr auto kCitation = "Zhang et al. 2024, arXiv:2409.07146";
  static constexpr auto kGroup = "slots";
  static constexpr Facts kFacts{.state_option = "slot_count"};
  static Patterns supported();
  static json own_layer() {
    return {{"activation", "silu"},
            {"output_gate", "self"},
            {"output_norm", "rms_after"},
            {"position_encoding", "none"}};
  }

  Gsa(const Options& options, const Setting&, at::Generator&) : options_(options) {}
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
