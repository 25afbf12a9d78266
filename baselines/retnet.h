// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_rule.h"

namespace lavo {

struct RetNetOptions {
  void visit(OptionVisitor&) {}
  void validate() const {}
  void resolve(const Setting&) {}
};

/// Retention: a linear recurrence in which each head forgets at a rate of its own.
///
///   S_t = exp(g_h) S_{t-1} + k_t v_t^T,   g_h = log(1 - 2^(-5-h)), h = 0 .. H-1
///   o_t = S_t^T q_t / sqrt(D)
///
/// No normaliser. The decay counts positions, padding included. O(T (D + E + D E)) time, state D E
/// numbers for each head.
/// Source: Sun et al. 2023, arXiv:2307.08621, section 2.1; its rotation, group norm and gate belong
/// to the layer.
class RetNet final : public MechanismOf<RetNet> {
 public:
  using Options = RetNetOptions;
  static constexpr auto kName = "retnet";
  static constexpr auto kTitle = "RetNet";
  static constexpr auto kCitation = "Sun et al. 2023, arXiv:2307.08621";
  static constexpr auto kGroup = "recurrent";
  static Patterns supported() { return recurrent_patterns(); }

  RetNet(const Options&, const Setting&, at::Generator&) {}
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
};

}  // namespace lavo
