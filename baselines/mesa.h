// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_mechanism.h"

namespace lavo {

/// Mesa layer: at every token the linear map that fits all values so far best, least squares with
/// weights that decay, solved exactly.
///
///   K_t = exp(g_t) K_{t-1} + beta_t k_t k_t^T   (D, D)
///   V_t = exp(g_t) V_{t-1} + beta_t k_t v_t^T   (D, E)
///   o_t = V_t^T (K_t + Diag(lambda))^{-1} q_t
///
/// Takes log_decay g, <= 0, and beta, >= 0 (B, H, T), and lambda (H, D), > 0. Queries and keys are
/// of unit length; no scale. Both sums in chunks of C = 64, systems by Cholesky, all tokens of a
/// tile at once, with one step of refinement, which is also what gradients follow. Where a matrix
/// is not positive definite the outputs are NaN. O(T (D^3 / 3 + C D^2 + D E)) time; states of
/// D D (`kk`, symmetric) and D E (`kv`) numbers for each head.
/// A layer makes g = logsigmoid(x W), beta = sigmoid(x W), and learns lambda = softplus(.) + 0.25,
/// 1 at first.
/// Source: von Oswald et al. 2025, arXiv:2506.05233, section 3.
/// Differs from it: the paper solves by conjugate gradients, 30 steps or fewer.
class Mesa final : public MechanismOf<Mesa> {
 public:
  using Options = NoOptions;
  static constexpr auto kName = "mesa";
  static constexpr auto kTitle = "Mesa layer";
  static constexpr auto kCitation = "von Oswald et al. 2025, arXiv:2506.05233";
  static constexpr auto kGroup = "recurrent";
  static Patterns supported() { return recurrent_patterns(); }
  static json own_layer() {
    return {{"conv", "short_qk"},
            {"activation", "silu_qk"},
            {"qk_norm", "l2"},
            {"output_norm", "rms"},
            {"position_encoding", "none"}};
  }

  Mesa(const Options&, const Setting&, at::Generator&) {}
  std::vector<InputSpec> inputs() const override;
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;
  bool unit_queries() const override { return true; }
  bool unit_keys() const override { return true; }

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
};

}  // namespace lavo
