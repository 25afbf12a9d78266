// SPDX-License-Identifier: MIT
// The operator's arguments, said once.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <tuple>

#include "lavo/operators/attend_features.h"

namespace lavo {

/// In the order of FeatureInputs.
inline constexpr auto kFeatureArguments =
    "Tensor query, Tensor key, Tensor value, Tensor? key_mask, Tensor? level, Tensor sum, "
    "Tensor? sum_level, float epsilon, float feature_epsilon, float smallest";

/// Of the inputs that have gradients.
struct FeatureGradients {
  at::Tensor query, key, value, sum;
};

/// Throws where types, shapes or strides do not go together; gives inputs that kernels can read.
FeatureInputs checked(FeatureInputs in);

AttendFeaturesFacts facts_of(const at::Tensor& value, int64_t features, bool levels);

/// attend_features_refusal where the device is a GPU and LibTorch has CUDA.
std::string attend_features_refusal_cuda(const AttendFeaturesFacts& facts);

/// Pointers into `in`, which must outlive it.
cpu::FeaturesCall cpu_call(const FeatureInputs& in);

/// By `lavo::attend_features_backward`, through the dispatcher. `grad_sum` may be undefined: zeros.
FeatureGradients attend_features_backward(const at::Tensor& grad_output, const at::Tensor& grad_sum,
                                          const FeatureInputs& in);

using FeatureOptional = const std::optional<at::Tensor>&;

/// Functions of FeatureInputs as the dispatcher calls them.
template <class... Before>
struct FeatureOperator {
  template <auto kFunction>
  static auto boxed(Before... before, const at::Tensor& query, const at::Tensor& key,
                    const at::Tensor& value, FeatureOptional key_mask, FeatureOptional level,
                    const at::Tensor& sum, FeatureOptional sum_level, double epsilon,
                    double feature_epsilon, double smallest) {
    const auto tensor = [](FeatureOptional x) { return x.value_or(at::Tensor()); };
    const auto result = kFunction(before..., FeatureInputs{query,
                                                           key,
                                                           value,
                                                           tensor(key_mask),
                                                           tensor(level),
                                                           sum,
                                                           tensor(sum_level),
                                                           {epsilon, feature_epsilon, smallest}});
    return as_tuple(result);
  }
  static std::tuple<at::Tensor, at::Tensor> as_tuple(const FeatureOutputs& x) {
    return {x.output, x.sum};
  }
  static std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> as_tuple(
      const FeatureGradients& x) {
    return {x.query, x.key, x.value, x.sum};
  }
};
using FeatureForward = FeatureOperator<>;
using FeatureBackward = FeatureOperator<const at::Tensor&, FeatureOptional>;

/// Calls the operator of that name and that signature.
template <class Signature, class... Before>
auto call_feature_operator(const char* name, const FeatureInputs& in, const Before&... before) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
  const auto optional = [](const at::Tensor& x) {
    return x.defined() ? std::optional<at::Tensor>(x) : std::nullopt;
  };
  return op.call(before..., in.query, in.key, in.value, optional(in.key_mask), optional(in.level),
                 in.sum, optional(in.sum_level), in.normaliser.epsilon,
                 in.normaliser.feature_epsilon, in.normaliser.smallest);
}

}  // namespace lavo
