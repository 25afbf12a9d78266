// SPDX-License-Identifier: MIT
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <string>

#include "lavo/operators/attend_features_call.h"
#include "lavo/operators/kernel_tensors.h"

namespace lavo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr auto kFeaturesBackwardName = "lavo::attend_features_backward";

FeatureGradients empty_feature_gradients(const FeatureInputs& in) {
  return {empty_contiguous(in.query), empty_contiguous(in.key), empty_contiguous(in.value),
          empty_contiguous(in.sum)};
}

FeatureGradients features_backward_meta(const at::Tensor&, FeatureOptional,
                                        const FeatureInputs& in) {
  return empty_feature_gradients(in);
}

FeatureGradients features_backward_cpu(const at::Tensor& grad_output, FeatureOptional grad_sum,
                                       const FeatureInputs& given) {
  const FeatureInputs in = checked(given);
  FeatureGradients g = empty_feature_gradients(in);
  const at::Tensor upstream = with_dense_rows(grad_output);
  const at::Tensor of_sum = grad_sum ? side_input(kFeaturesBackwardName, *grad_sum, "grad_sum",
                                                  at::kDouble, in.sum.sizes())
                                     : at::Tensor();
  cpu::features_backward({cpu_call(in), cpu_tokens(upstream),
                          of_sum.defined() ? of_sum.const_data_ptr<double>() : nullptr,
                          cpu_tokens(g.query), cpu_tokens(g.key), cpu_tokens(g.value),
                          g.sum.mutable_data_ptr<double>()});
  return g;
}

class AttendFeatures : public torch::autograd::Function<AttendFeatures> {
 public:
  // Tensors are arguments of their own for autograd to see them; the rest comes with `in`.
  static variable_list forward(AutogradContext* context, const at::Tensor&, const at::Tensor&,
                               const at::Tensor&, const at::Tensor&, const FeatureInputs& in) {
    context->save_for_backward(
        {in.query, in.key, in.value, in.key_mask, in.level, in.sum, in.sum_level});
    context->saved_data["epsilon"] = in.normaliser.epsilon;
    context->saved_data["feature_epsilon"] = in.normaliser.feature_epsilon;
    context->saved_data["smallest"] = in.normaliser.smallest;
    context->set_materialize_grads(false);
    const at::AutoDispatchBelowADInplaceOrView guard;
    const FeatureOutputs out = attend_features(in);
    return {out.output, out.sum};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(),
                "lavo::attend_features has no second derivative (create_graph = true)");
    const variable_list saved = context->get_saved_variables();
    const auto option = [&](const char* name) { return context->saved_data[name].toDouble(); };
    const FeatureInputs in{
        saved[0], saved[1],
        saved[2], saved[3],
        saved[4], saved[5],
        saved[6], {option("epsilon"), option("feature_epsilon"), option("smallest")}};
    const at::Tensor of_output = gradients[0].defined() ? gradients[0] : at::zeros_like(in.value);
    const FeatureGradients g = attend_features_backward(of_output, gradients[1], in);
    return {g.query, g.key, g.value, g.sum, at::Tensor()};
  }
};

FeatureOutputs features_autograd(const FeatureInputs& in) {
  const variable_list out = AttendFeatures::apply(in.query, in.key, in.value, in.sum, in);
  return {out[0], out[1]};
}

}  // namespace

FeatureGradients attend_features_backward(const at::Tensor& grad_output, const at::Tensor& grad_sum,
                                          const FeatureInputs& in) {
  using Signature = decltype(FeatureBackward::boxed<features_backward_cpu>);
  const auto of_sum = grad_sum.defined() ? std::optional<at::Tensor>(grad_sum) : std::nullopt;
  auto [query, key, value, sum] =
      call_feature_operator<Signature>(kFeaturesBackwardName, in, grad_output, of_sum);
  return {query, key, value, sum};
}

TORCH_LIBRARY_FRAGMENT(lavo, m) {
  m.def((std::string("attend_features_backward(Tensor grad_output, Tensor? grad_sum, ") +
         kFeatureArguments + ") -> (Tensor, Tensor, Tensor, Tensor)")
            .c_str());
}
TORCH_LIBRARY_IMPL(lavo, CPU, m) {
  m.impl("attend_features_backward", TORCH_FN(FeatureBackward::boxed<features_backward_cpu>));
}
TORCH_LIBRARY_IMPL(lavo, Meta, m) {
  m.impl("attend_features_backward", TORCH_FN(FeatureBackward::boxed<features_backward_meta>));
}
TORCH_LIBRARY_IMPL(lavo, Autograd, m) {
  m.impl("attend_features", TORCH_FN(FeatureForward::boxed<features_autograd>));
}

}  // namespace lavo
