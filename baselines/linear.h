// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/feature_attention.h"

namespace lavo {

struct LinearOptions {
  double epsilon = 1e-6;

  void visit(OptionVisitor& v) {
    v.number("epsilon", epsilon, above(0), "added to the normaliser");
  }
  void validate() const {}
  void resolve(const Setting&) {}
};

/// Linear attention: a positive feature map in place of the softmax.
///
///   phi(x) = elu(x) + 1, elementwise
///   o_t = sum_j (phi(q_t) . phi(k_j)) v_j / (sum_j phi(q_t) . phi(k_j) + epsilon)
///
/// over all keys; causal: over j <= t. There is no 1 / sqrt(D). O(T D E) time; state: the sums of
/// phi(k_j) v_j^T and of phi(k_j), D (E + 1) numbers for each head.
/// Source: Katharopoulos et al. 2020, arXiv:2006.16236.
/// Differs from it: sums are kept in float32 or wider, and causal sums are taken in chunks.
class Linear final : public MechanismOf<Linear, FeatureMechanism> {
 public:
  using Options = LinearOptions;
  static constexpr auto kName = "linear";
  static constexpr auto kTitle = "linear transformer";
  static constexpr auto kCitation = "Katharopoulos et al. 2020, arXiv:2006.16236";
  static constexpr auto kGroup = "2020 to 2022";
  static constexpr Facts kFacts{.fused_calls = "causal self attention"};
  static Patterns supported() { return {}; }

  Linear(const Options& options, const Setting&, at::Generator&) : options_(options) {}
  Cost cost(const Shape& shape, Pattern pattern) const override;

 protected:
  int64_t feature_count(int64_t width) const override { return width; }
  FeatureAttention attention(const Inputs& in, bool streaming) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;

 private:
  Options options_;
};

}  // namespace lavo
