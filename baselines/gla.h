// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_rule.h"

namespace lavo {

struct GlaOptions {
  void visit(OptionVisitor&) {}
  void validate() const {}
  void resolve(const Setting&) {}
};

/// Gated linear attention: a linear recurrence with a decay for each token and channel.
///
///   S_t = Diag(exp(g_t)) S_{t-1} + k_t v_t^T;   o_t = S_t^T q_t / sqrt(D)
///
/// Takes log_decay g (B, H, T, D), <= 0; no normaliser. O(T (D + E + D E)) time, state D E numbers
/// for each head. A layer makes g = logsigmoid(x W) / 16 with W of rank 16.
/// Source: Yang et al. 2023, arXiv:2312.06635, section 4.
class Gla final : public MechanismOf<Gla> {
 public:
  using Options = GlaOptions;
  static constexpr auto kName = "gla";
  static constexpr auto kTitle = "gated linear attention";
  static constexpr auto kCitation = "Yang et al. 2023, arXiv:2312.06635";
  static constexpr auto kGroup = "recurrent";
  static Patterns supported() { return recurrent_patterns(); }

  Gla(const Options&, const Setting&, at::Generator&) {}
  std::vector<InputSpec> inputs() const override;
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
};

}  // namespace lavo
