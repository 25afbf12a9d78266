// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

struct NoneOptions {
  void visit(OptionVisitor&) {}
  void validate() const {}
  void resolve(const Setting&) {}
};

/// No mixing of tokens, the control that every quality must be read against: what a model learns
/// without any attention.
///
///   o_t = v_t
///
/// A padded token gets zeros. Self attention, causal or not. O(T E) time, a state of no numbers.
class None final : public MechanismOf<None> {
 public:
  using Options = NoneOptions;
  static constexpr auto kName = "none";
  static constexpr auto kTitle = "no mixing of tokens";
  static constexpr auto kCitation = "a control";
  static constexpr auto kGroup = "controls";
  static constexpr Facts kFacts{.mixes = false};
  static Patterns supported();

  None(const Options&, const Setting&, at::Generator&) {}
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
};

}  // namespace lavo
