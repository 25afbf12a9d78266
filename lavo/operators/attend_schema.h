// SPDX-License-Identifier: MIT
// The operators' long lists of arguments, said once.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include "lavo/operators/attend_call.h"

namespace lavo {

using OptionalTensor = std::optional<at::Tensor>;
inline OptionalTensor optional(const at::Tensor& x) {
  return x.defined() ? OptionalTensor(x) : std::nullopt;
}

/// In the order of AttendInputs.
inline constexpr auto kAttendArguments =
    "Tensor query, Tensor key, Tensor value, Tensor weights, Tensor? key_bases, "
    "Tensor? value_bases, Tensor? projected, Tensor? bias, Tensor? key_mask, Tensor? decay, "
    "str memory, int window, int look_back, bool causal, bool cross";

inline AttendInputs gathered(const at::Tensor& query, const at::Tensor& key,
                             const at::Tensor& value, const at::Tensor& weights,
                             const OptionalTensor& key_bases, const OptionalTensor& value_bases,
                             const OptionalTensor& projected, const OptionalTensor& bias,
                             const OptionalTensor& key_mask, const OptionalTensor& decay,
                             c10::string_view memory, int64_t window, int64_t look_back,
                             bool causal, bool cross) {
  const auto tensor = [](const OptionalTensor& x) { return x.value_or(at::Tensor()); };
  return {query,
          key,
          value,
          weights,
          tensor(key_bases),
          tensor(value_bases),
          tensor(projected),
          tensor(bias),
          tensor(key_mask),
          tensor(decay),
          std::string(memory),
          window,
          look_back,
          causal,
          cross};
}

using GradientTuple = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor,
                                 at::Tensor, at::Tensor, at::Tensor>;

/// Functions of AttendInputs as the dispatcher calls them, and calls through it.
template <class Gathered>
struct AttendOperator;
template <class... Arguments>
struct AttendOperator<AttendInputs(Arguments...)> {
  using Forward = at::Tensor(Arguments...);
  using Backward = GradientTuple(const at::Tensor&, Arguments..., bool);

  template <at::Tensor (*kFunction)(const AttendInputs&)>
  static at::Tensor forward(Arguments... arguments) {
    return kFunction(gathered(arguments...));
  }
  template <AttendGradients (*kFunction)(const at::Tensor&, const AttendInputs&, bool)>
  static GradientTuple backward(const at::Tensor& grad_output, Arguments... arguments,
                                bool wants_bases) {
    const AttendGradients g = kFunction(grad_output, gathered(arguments...), wants_bases);
    return {g.query, g.key, g.value, g.weights, g.key_bases, g.value_bases, g.projected, g.bias};
  }
};
using AttendOp = AttendOperator<decltype(gathered)>;

/// `call(leading..., the arguments of `in`..., trailing...)`
template <class Call>
auto with_arguments(const AttendInputs& in, const Call& call) {
  return call(in.query, in.key, in.value, in.weights, optional(in.key_bases),
              optional(in.value_bases), optional(in.projected), optional(in.bias),
              optional(in.key_mask), optional(in.decay), in.memory, in.window, in.look_back,
              in.causal, in.cross);
}

}  // namespace lavo
