// SPDX-License-Identifier: MIT
// From tensors to what kernels are called with.
#pragma once

#include "lavo/operators/attend_features.h"
#include "lavo/operators/operator.h"

namespace lavo {

template <class Self, class Visitor>
void FeatureInputs::visit(Self& self, Visitor&& v) {
  v.tensor("query", self.query, Use::kCompute | Use::kDifferentiable);
  v.tensor("key", self.key, Use::kCompute | Use::kDifferentiable);
  v.tensor("value", self.value, Use::kTokens | Use::kDifferentiable);
  v.tensor("key_mask", self.key_mask, Use::kOptional);
  v.tensor("level", self.level, Use::kCompute | Use::kOptional);
  v.tensor("sum", self.sum, Use::kDifferentiable);
  v.tensor("sum_level", self.sum_level, Use::kCompute | Use::kOptional);
  v.option("epsilon", self.normaliser.epsilon);
  v.option("feature_epsilon", self.normaliser.feature_epsilon);
  v.option("smallest", self.normaliser.smallest);
}

/// Of the inputs that have gradients.
struct FeatureGradients {
  at::Tensor query, key, value, sum;
  Results list() const { return {query, key, value, sum}; }
};

/// What `lavo::attend_features_backward` takes.
struct FeatureBackward {
  at::Tensor grad_output;
  at::Tensor grad_sum;  ///< undefined: zeros
  FeatureInputs in;

  static constexpr auto kOperator = "lavo::attend_features_backward",
                        kOf = FeatureInputs::kOperator;
  static constexpr int kResults = 4;
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& v) {
    v.tensor("grad_output", self.grad_output, Use::kDifferentiable);
    v.tensor("grad_sum", self.grad_sum, Use::kOptional | Use::kDifferentiable);
    FeatureInputs::visit(self.in, v);
  }
  void validate() const { in.validate(); }
};

/// Throws where types, shapes or strides do not go together; gives inputs that kernels can read.
FeatureInputs checked(FeatureInputs in);

AttendFeaturesFacts facts_of(const at::Tensor& value, int64_t features, bool levels);

/// What the GPU's kernels have against the sizes.
std::string attend_features_refusal_cuda(const AttendFeaturesFacts& facts);

/// Pointers into `in`, which must outlive it.
cpu::FeaturesCall cpu_call(const FeatureInputs& in);

}  // namespace lavo
