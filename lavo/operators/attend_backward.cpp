// SPDX-License-Identifier: MIT
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "lavo/operators/attend_schema.h"

namespace lavo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor like(const at::Tensor& x) { return x.defined() ? at::empty_like(x) : x; }

AttendGradients empty_gradients(const AttendInputs& in, bool wants_bases) {
  AttendGradients g{like(in.query), like(in.key), like(in.value), like(in.weights)};
  if (in.memory != "none" && wants_bases) {
    g.key_bases = like(in.key_bases);
    g.value_bases = like(in.value_bases);
  }
  if (in.memory == "projected") g.projected = like(in.projected);
  if (in.window > 0) g.bias = like(in.bias);
  return g;
}

AttendGradients backward_meta(const at::Tensor&, const AttendInputs& in, bool wants_bases) {
  return empty_gradients(in, wants_bases);
}

/// Room for one gradient of each chunk of a (batch, head).
at::Tensor partial(const at::Tensor& like, const cpu::LavoCall& call, at::IntArrayRef sizes) {
  std::vector<int64_t> shape = {call.B, call.H, cpu::lavo_chunks(call)};
  shape.insert(shape.end(), sizes.begin(), sizes.end());
  return at::empty(shape, like.options());
}

/// (B,H,C,R,D) -> (H or 1,R,D)
at::Tensor sum_over(const at::Tensor& x, int64_t heads) {
  const at::Tensor sum = x.sum(2).sum(0);
  return heads == 1 ? sum.sum(0, /*keepdim=*/true) : sum;
}

void* data(const at::Tensor& x) { return x.defined() ? x.mutable_data_ptr() : nullptr; }

AttendGradients backward_cpu(const at::Tensor& grad_output, const AttendInputs& given,
                             bool wants_bases) {
  const AttendInputs in = checked(given);
  AttendGradients g = empty_gradients(in, wants_bases);
  const at::Tensor upstream = with_dense_rows(grad_output);
  const cpu::LavoCall call = cpu_call(in);
  at::Tensor key_bases, value_bases, bias;
  if (g.key_bases.defined()) {
    key_bases = partial(in.key_bases, call, in.key_bases.sizes().slice(1));
    value_bases = partial(in.key_bases, call, in.key_bases.sizes().slice(1));
  }
  if (g.bias.defined()) bias = partial(in.bias, call, in.bias.sizes().slice(1));
  const at::Tensor weights = partial(in.weights, call, {2});
  cpu::lavo_backward({call, cpu_tokens(upstream), cpu_tokens(g.query), cpu_tokens(g.key),
                      cpu_tokens(g.value), data(g.projected), data(key_bases), data(value_bases),
                      data(bias), data(weights)});
  g.weights = weights.sum(2).sum(0).t().contiguous();
  if (g.bias.defined()) g.bias = bias.sum(2).sum(0);
  if (g.key_bases.defined()) {
    g.key_bases = sum_over(key_bases, in.key_bases.size(0));
    g.value_bases = sum_over(value_bases, in.value_bases.size(0));
  }
  return g;
}

class Attend : public torch::autograd::Function<Attend> {
 public:
  // Tensors are arguments of their own for autograd to see them; the rest comes with `in`.
  static at::Tensor forward(AutogradContext* context, const at::Tensor&, const at::Tensor&,
                            const at::Tensor&, const at::Tensor&, const OptionalTensor& key_bases,
                            const OptionalTensor& value_bases, const OptionalTensor&,
                            const OptionalTensor&, const AttendInputs& in) {
    context->save_for_backward({in.query, in.key, in.value, in.weights, in.key_bases,
                                in.value_bases, in.projected, in.bias, in.key_mask, in.decay});
    context->saved_data["memory"] = in.memory;
    context->saved_data["window"] = in.window;
    context->saved_data["look_back"] = in.look_back;
    context->saved_data["causal"] = in.causal;
    context->saved_data["cross"] = in.cross;
    context->saved_data["wants_bases"] =
        (key_bases && key_bases->requires_grad()) || (value_bases && value_bases->requires_grad());
    const at::AutoDispatchBelowADInplaceOrView guard;
    return attend(in);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(),
                "lavo::attend has no second derivative (create_graph = true)");
    const variable_list saved = context->get_saved_variables();
    const auto option = [&](const char* name) { return context->saved_data[name]; };
    const AttendInputs in{saved[0],
                          saved[1],
                          saved[2],
                          saved[3],
                          saved[4],
                          saved[5],
                          saved[6],
                          saved[7],
                          saved[8],
                          saved[9],
                          option("memory").toStringRef(),
                          option("window").toInt(),
                          option("look_back").toInt(),
                          option("causal").toBool(),
                          option("cross").toBool()};
    const AttendGradients g = attend_backward(gradients[0], in, option("wants_bases").toBool());
    return {g.query,       g.key,       g.value, g.weights,   g.key_bases,
            g.value_bases, g.projected, g.bias,  at::Tensor()};
  }
};

at::Tensor attend_autograd(const AttendInputs& in) {
  return Attend::apply(in.query, in.key, in.value, in.weights, optional(in.key_bases),
                       optional(in.value_bases), optional(in.projected), optional(in.bias), in);
}

}  // namespace

AttendGradients attend_backward(const at::Tensor& grad_output, const AttendInputs& in,
                                bool wants_bases) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("lavo::attend_backward", "")
                             .typed<AttendOp::Backward>();
  const auto call = [&](const auto&... arguments) {
    return op.call(grad_output, arguments..., wants_bases);
  };
  auto [query, key, value, weights, key_bases, value_bases, projected, bias] =
      with_arguments(in, call);
  return {query, key, value, weights, key_bases, value_bases, projected, bias};
}

TORCH_LIBRARY_FRAGMENT(lavo, m) {
  const std::string results = "Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor";
  m.def((std::string("attend_backward(Tensor grad_output, ") + kAttendArguments +
         ", bool wants_bases) -> (" + results + ")")
            .c_str());
}
TORCH_LIBRARY_IMPL(lavo, CPU, m) {
  m.impl("attend_backward", TORCH_FN(AttendOp::backward<backward_cpu>));
}
TORCH_LIBRARY_IMPL(lavo, Meta, m) {
  m.impl("attend_backward", TORCH_FN(AttendOp::backward<backward_meta>));
}
TORCH_LIBRARY_IMPL(lavo, Autograd, m) {
  m.impl("attend", TORCH_FN(AttendOp::forward<attend_autograd>));
}

}  // namespace lavo
