// SPDX-License-Identifier: MIT
// From tensors to what kernels are called with.
#pragma once

#include "lavo/kernels/cpu/lavo/call.h"
#include "lavo/operators/attend.h"
#include "lavo/operators/kernel_tensors.h"
#include "lavo/operators/operator.h"

namespace lavo {

template <class Self, class Visitor>
void AttendInputs::visit(Self& self, Visitor&& v) {
  constexpr unsigned kParameter = Use::kCompute | Use::kDifferentiable;
  v.tensor("query", self.query, Use::kTokens | Use::kDifferentiable);
  v.tensor("key", self.key, Use::kTokens | Use::kDifferentiable);
  v.tensor("value", self.value, Use::kTokens | Use::kDifferentiable);
  v.tensor("weights", self.weights, kParameter);
  v.tensor("key_bases", self.key_bases, kParameter | Use::kOptional);
  v.tensor("value_bases", self.value_bases, kParameter | Use::kOptional);
  v.tensor("projected", self.projected, kParameter | Use::kOptional);
  v.tensor("bias", self.bias, kParameter | Use::kOptional);
  v.tensor("key_mask", self.key_mask, Use::kOptional);
  v.tensor("decay", self.decay, Use::kCompute | Use::kOptional);
  v.option("memory", self.memory);
  v.option("window", self.window);
  v.option("look_back", self.look_back);
  v.option("causal", self.causal);
  v.option("cross", self.cross);
}

/// Gradients by input; undefined where there is none or it is not wanted.
struct AttendGradients {
  at::Tensor query, key, value, weights;
  at::Tensor key_bases = {}, value_bases = {}, projected = {}, bias = {};
  Results list() const {
    return {query, key, value, weights, key_bases, value_bases, projected, bias};
  }
};

/// What `lavo::attend_backward` takes. Gradients of the bases cost three products more.
struct AttendBackward {
  at::Tensor grad_output;
  AttendInputs in;
  bool wants_bases = false;

  static constexpr auto kOperator = "lavo::attend_backward", kOf = AttendInputs::kOperator;
  static constexpr int kResults = 8;
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& v) {
    v.tensor("grad_output", self.grad_output, Use::kDifferentiable);
    AttendInputs::visit(self.in, v);
    v.option("wants_bases", self.wants_bases);
  }
  void validate() const { in.validate(); }
};

/// Throws where types, shapes or strides do not go together; gives inputs that kernels can read.
/// `past`: keys of a stream in front of the first query's own.
AttendInputs checked(AttendInputs in, int64_t past = 0);

/// Pointers into `in`, which must outlive it.
cpu::LavoCall cpu_call(const AttendInputs& in);

AttendFacts facts_of(const AttendInputs& in);

/// What the GPU's kernels have against the sizes.
std::string attend_refusal_cuda(const AttendFacts& facts);

/// Room for the gradients that there are, as every device lays them out.
AttendGradients empty_gradients(const AttendBackward& call);

}  // namespace lavo
