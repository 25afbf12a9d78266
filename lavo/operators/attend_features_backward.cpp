// SPDX-License-Identifier: MIT
#include <ATen/ops/zeros_like.h>

#include "lavo/operators/attend_features_call.h"
#include "lavo/operators/kernel_tensors.h"

namespace lavo {
namespace {

Results features_backward_meta(const FeatureBackward& call) {
  return {empty_contiguous(call.in.query), empty_contiguous(call.in.key),
          empty_contiguous(call.in.value), empty_contiguous(call.in.sum)};
}

Results features_backward_cpu(const FeatureBackward& given) {
  const FeatureInputs in = checked(given.in);
  const Results g = features_backward_meta(given);
  const at::Tensor upstream = with_dense_rows(given.grad_output);
  TORCH_CHECK(
      upstream.sizes() == in.value.sizes() && upstream.scalar_type() == in.value.scalar_type(),
      FeatureBackward::kOperator, ": grad_output must be as the values, got ",
      upstream.scalar_type(), " ", upstream.sizes());
  at::Tensor of_sum;
  if (given.grad_sum.defined()) {
    of_sum = side_input(FeatureBackward::kOperator, given.grad_sum, "grad_sum", at::kDouble,
                        in.sum.sizes());
  }
  cpu::FeaturesCall call = cpu_call(in);
  call.parallel = cpu_parallel_for_flushing;
  cpu::features_backward(
      {call, cpu_tokens(upstream), of_sum.defined() ? of_sum.const_data_ptr<double>() : nullptr,
       cpu_tokens(g[0]), cpu_tokens(g[1]), cpu_tokens(g[2]), g[3].mutable_data_ptr<double>()});
  return g;
}

}  // namespace

FeatureBackward FeatureInputs::backward(const Results& gradients, const Wanted&) const {
  return {gradients[0].defined() ? gradients[0] : at::zeros_like(value), gradients[1], *this};
}

TORCH_LIBRARY_FRAGMENT(lavo, m) {
  define<FeatureBackward, features_backward_cpu, features_backward_meta>(m);
}

}  // namespace lavo
