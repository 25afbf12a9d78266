// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/feature_attention.h"

namespace lavo {

struct CosformerOptions {
  std::optional<int64_t> max_length;

  void visit(OptionVisitor& v) {
    v.integer("max_length", max_length, between(1, 2147483647),
              "M, the longest sequence; unset: the longer of queries and keys, not when causal",
              small(512));
  }
  void validate() const {}
  void resolve(const Setting& setting);
};

/// cosFormer: relu features weighted by a cosine of the distance.
///
///   a_tj = relu(q_t) . relu(k_j) cos(pi / 2 (t - j) / M)
///   o_t = sum_j a_tj v_j / max(sum_j a_tj, 1e-6)
///
/// over all keys; causal: over j <= t. By the addition theorem the weights are products of features
/// of width 2 D. O(T D E) time; state: 2 D (E + 1) numbers for each head. A query whose relu is all
/// zero gets zeros. Throws ShapeError for a sequence longer than M, a stream's whole length
/// included.
/// Source: Qin et al. 2022, arXiv:2202.08791.
/// Differs from the published code, which takes M from the current length, so that its outputs for
/// a prefix change as the sequence grows: causal attention needs a fixed M and is refused without.
class Cosformer final : public MechanismOf<Cosformer, FeatureMechanism> {
 public:
  using Options = CosformerOptions;
  static constexpr auto kName = "cosformer";
  static constexpr auto kTitle = "cosFormer";
  static constexpr auto kCitation = "Qin et al. 2022, arXiv:2202.08791";
  static constexpr auto kGroup = "2020 to 2022";
  static constexpr Facts kFacts{.fused_calls = "causal self attention"};
  static Patterns supported() { return {}; }

  Cosformer(const Options& options, const Setting&, at::Generator&) : options_(options) {}
  Patterns patterns() const override;
  int64_t longest() const override { return options_.max_length.value_or(Mechanism::longest()); }
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;

 protected:
  int64_t feature_count(int64_t width) const override { return 2 * width; }
  FeatureAttention attention(const Inputs& in, bool streaming) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
  void check(const Inputs& in, const State* state) const override;

 private:
  int64_t max_length(const Inputs& in) const;
  Options options_;
};

}  // namespace lavo
