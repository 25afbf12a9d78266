// SPDX-License-Identifier: MIT
#include <ATen/ops/empty.h>

#include "lavo/operators/attend_call.h"

namespace lavo {
namespace {

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

Results attend_backward_meta(const AttendBackward& call) { return empty_gradients(call).list(); }

Results attend_backward_cpu(const AttendBackward& given) {
  const AttendInputs in = checked(given.in);
  const AttendGradients g = empty_gradients(given);
  const at::Tensor upstream = with_dense_rows(given.grad_output);
  TORCH_CHECK(upstream.sizes() == at::IntArrayRef({in.query.size(0), in.query.size(1),
                                                   in.query.size(2), in.value.size(3)}) &&
                  upstream.scalar_type() == in.query.scalar_type(),
              "lavo::attend_backward: grad_output must be as the output, got ",
              upstream.scalar_type(), " ", upstream.sizes());
  cpu::LavoCall call = cpu_call(in);
  call.parallel = cpu_parallel_for_flushing;
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
  g.weights.copy_(weights.sum(2).sum(0).t());
  if (g.bias.defined()) g.bias.copy_(bias.sum(2).sum(0));
  if (g.key_bases.defined()) {
    const int64_t heads = in.key_bases.size(0);
    g.key_bases.copy_(sum_over(key_bases, heads));
    if (g.value_bases.defined()) {
      g.value_bases.copy_(sum_over(value_bases, heads));
    } else {
      g.key_bases.add_(sum_over(value_bases, heads));
    }
  }
  return g.list();
}

}  // namespace

AttendBackward AttendInputs::backward(const Results& gradients, const Wanted& wanted) const {
  return {gradients[0], *this, wanted(4) || wanted(5)};
}

TORCH_LIBRARY_FRAGMENT(lavo, m) {
  define<AttendBackward, attend_backward_cpu, attend_backward_meta>(m);
}

}  // namespace lavo
