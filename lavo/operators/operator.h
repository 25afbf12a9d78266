// SPDX-License-Identifier: MIT
// What every operator repeats: its way through the dispatcher, autocast, derivatives of first
// order, and the registration of it all.
#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include "lavo/operators/derivative.h"

namespace lavo {

/// A function of the inputs as the dispatcher calls it.
template <class In, Results (*kFunction)(const In&)>
void boxed(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const size_t count = op.schema().arguments().size();
  In in;
  In::visit(in, StackReader{stack->data() + (stack->size() - count)});
  require_one_device(in);
  in.validate();
  Results results = kFunction(in);
  torch::jit::drop(*stack, count);
  for (at::Tensor& x : results) stack->emplace_back(std::move(x));
}

/// Tokens in the region's 16 bits, what kernels compute with in float32.
template <class In, c10::DeviceType kDevice>
Results in_autocast(const In& given) {
  const c10::impl::ExcludeDispatchKeyGuard guard(c10::autocast_dispatch_keyset);
  const auto low = at::autocast::get_lower_precision_fp_from_device_type(kDevice);
  In in = given;
  for_each_tensor(in, [&](const char*, at::Tensor& x, unsigned use) {
    if (x.defined() && (use & (Use::kTokens | Use::kCompute))) {
      x = at::autocast::cached_cast(use & Use::kTokens ? low : at::kFloat, x, kDevice);
    }
  });
  return call_operator(in);
}

template <class In, Results (*kFunction)(const In&)>
void implement(torch::Library& m, c10::DispatchKey key) {
  m.impl(In::kOperator,
         torch::dispatch(key, torch::CppFunction::makeFromBoxedFunction<boxed<In, kFunction>>()));
}

/// An operator with its kernels on the CPU and without data; those on CUDA are implemented apart.
template <class In, Results (*kCpu)(const In&), Results (*kMeta)(const In&)>
void define(torch::Library& m) {
  m.def(schema<In>().c_str());
  implement<In, kCpu>(m, c10::DispatchKey::CPU);
  implement<In, kMeta>(m, c10::DispatchKey::Meta);
  implement<In, with_derivative<In>>(m, c10::DispatchKey::Autograd);
  if constexpr (has_derivative<In>) {
    implement<In, in_autocast<In, c10::kCPU>>(m, c10::DispatchKey::AutocastCPU);
    implement<In, in_autocast<In, c10::kCUDA>>(m, c10::DispatchKey::AutocastCUDA);
  }
}

}  // namespace lavo
