// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

struct VanillaOptions {
  void visit(OptionVisitor&) {}
  void validate() const {}
  void resolve(const Setting&) {}
};

/// Softmax attention, the yardstick.
///
///   o_t = sum_s softmax_s(q_t . k_s / sqrt(D) + mask) v_s
///
/// State: the keys and values seen so far, B H t (D + E) numbers.
/// Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.
class VanillaBase : public Mechanism {
 public:
  int64_t first_not_finite(int64_t) const override { return 0; }  // LibTorch's fused form too
  using Options = VanillaOptions;
  static constexpr auto kCitation = "Vaswani et al. 2017, arXiv:1706.03762";
  static constexpr auto kGroup = "softmax";
  static Patterns supported() { return {}; }
  std::unique_ptr<State> new_state() const override;
  bool state_grows() const override { return true; }
  bool state_merges() const override { return true; }

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
  /// `visible` is undefined (all keys), or broadcasts to [B, 1, T, S]; `triangular`: T = S and key
  /// s is visible to query t when s <= t, and `visible` is undefined.
  virtual Tensor softmax_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                   const Tensor& visible, bool triangular) const = 0;
};

/// LibTorch's fused scaled-dot-product attention: what a user would pick. O(T S D) time, O(T)
/// memory.
class Vanilla final : public MechanismOf<Vanilla, VanillaBase> {
 public:
  static constexpr auto kName = "vanilla";
  static constexpr auto kTitle = "softmax attention, fused";
  static constexpr Facts kFacts{.fused_calls = "every pattern",
                                .composed = false,  // that is vanilla_math
                                .softmax = true};
  Vanilla(const Options&, const Setting&, at::Generator&) {}
  bool is_fused() const override { return true; }
  std::string not_fused(const CallFacts&) const override { return ""; }
  Cost cost(const Shape& s, Pattern pattern) const override;

 protected:
  Tensor softmax_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                           const Tensor& visible, bool triangular) const override;
};

/// The explicit T x S matrix: what the speed-ups of papers are measured against. O(T S) memory.
class VanillaMath final : public MechanismOf<VanillaMath, VanillaBase> {
 public:
  static constexpr auto kName = "vanilla_math";
  static constexpr auto kTitle = "softmax attention, explicit matrix";
  static constexpr Facts kFacts{.softmax = true};
  VanillaMath(const Options&, const Setting&, at::Generator&) {}
  Cost cost(const Shape& s, Pattern pattern) const override;

 protected:
  Tensor softmax_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                           const Tensor& visible, bool triangular) const override;
};

}  // namespace lavo
