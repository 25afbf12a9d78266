// SPDX-License-Identifier: MIT
// lavo::attend on the GPU: what the kernels do not take is an error here, and is composed by
// mechanisms, which ask can_attend first.
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include "lavo/kernels/cuda/lavo/call.h"
#include "lavo/operators/attend_call.h"
#include "lavo/operators/cuda/rows.h"

namespace lavo {
namespace {

cuda::Memory memory_of(const std::string& memory) {
  return memory == "none"        ? cuda::Memory::kNone
         : memory == "shared"    ? cuda::Memory::kShared
         : memory == "key_value" ? cuda::Memory::kKeyValue
                                 : cuda::Memory::kContext;
}

/// A size that the kernels count in 32 bits; what is too large stays refused.
int counted(int64_t size) { return static_cast<int>(std::min<int64_t>(size, 1 << 30)); }

cuda::LavoShape shape_of(const AttendFacts& f) {
  cuda::LavoShape s;
  s.element = f.type == at::kFloat  ? cuda::Element::kFloat32
              : f.type == at::kHalf ? cuda::Element::kFloat16
                                    : cuda::Element::kBfloat16;
  s.memory = memory_of(f.memory);
  s.causal = f.causal;
  s.window_part = f.window > 0;
  s.batch = counted(f.B);
  s.heads = counted(f.H);
  s.length = f.T;
  s.width = counted(f.D);
  s.bases = counted(f.R);
  s.window = f.window > 0 ? counted(f.window) : 1;
  return s;
}

cuda::DeviceLimits limits_of(c10::Device device) {
  const int index = device.has_index() ? device.index() : c10::cuda::current_device();
  const auto attribute = [&](cudaDeviceAttr which) {
    int value = 0;
    C10_CUDA_CHECK(cudaDeviceGetAttribute(&value, which, index));
    return value;
  };
  return {10 * attribute(cudaDevAttrComputeCapabilityMajor) +
              attribute(cudaDevAttrComputeCapabilityMinor),
          attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)};
}

float* floats(const at::Tensor& x) { return x.defined() ? x.data_ptr<float>() : nullptr; }

/// Of tensors that are on the GPU, whatever an emulation puts in their place.
AttendFacts facts_on_cuda(const AttendInputs& in) {
  AttendFacts facts = facts_of(in);
  facts.device = c10::Device(c10::kCUDA, facts.device.index());
  return facts;
}

/// Inputs as the kernels want them, and pointers to them.
struct Prepared {
  /// Of inputs that are checked(); `given`: as they were, with one_bases still to be seen.
  Prepared(const AttendInputs& given, AttendInputs from)
      : in(std::move(from)), shape(shape_of(facts_of(in))) {
    const std::string why = attend_refusal(facts_on_cuda(given));
    TORCH_CHECK(why.empty(), "lavo::attend on CUDA: ", why);
    const at::ScalarType type = in.query.scalar_type();
    for (at::Tensor* x : {&in.query, &in.key, &in.value}) *x = with_aligned_rows(*x);
    weights = in.weights.t().contiguous();
    call.query = rows_of(in.query), call.key = rows_of(in.key), call.value = rows_of(in.value);
    call.weights = floats(weights);
    if (in.window > 0) call.bias = floats(in.bias);
    if (in.key_mask.defined()) {
      counts = in.key_mask.cumsum(1, at::kInt);
      call.real_counts = counts.const_data_ptr<int32_t>();
    }
    if (shape.memory == cuda::Memory::kNone) return;
    key_bases = in.key_bases.to(type);
    call.key_bases = key_bases.const_data_ptr();
    call.bases_head = key_bases.size(0) == 1 ? 0 : key_bases.size(1) * key_bases.size(2);
    if (shape.memory != cuda::Memory::kContext) return;
    value_bases = in.value_bases.to(type);
    projected = with_aligned_rows(in.projected.to(type).unsqueeze(1));
    call.value_bases = value_bases.const_data_ptr();
    call.context = rows_of(projected);
  }

  AttendInputs in;
  cuda::LavoShape shape;
  cuda::LavoInputs call;
  at::Tensor weights, counts, key_bases, value_bases, projected;
};

/// Of no token: nothing is launched, and gradients are zeros.
bool is_empty(const AttendInputs& in) {
  return in.query.size(0) == 0 || in.query.size(1) == 0 || in.query.size(2) == 0;
}

Results attend_cuda(const AttendInputs& given) {
  const c10::cuda::CUDAGuard guard(given.query.device());
  AttendInputs in = checked(given);
  const at::Tensor output = empty_tokens(given.query, given.value);
  if (is_empty(in)) return {output};
  const Prepared p(given, std::move(in));
  const at::Tensor sums = scratch(output, cuda::lavo_sums_floats(p.shape));
  C10_CUDA_CHECK(static_cast<cudaError_t>(
      cuda::lavo_forward(p.shape, p.call, rows_of(output), floats(sums),
                         c10::cuda::getCurrentCUDAStream(given.query.get_device()))));
  return {output};
}

/// (H,...) per head; (1,...) where the heads share the bases.
at::Tensor of_heads(const at::Tensor& x, int64_t heads) {
  return heads == 1 && x.size(0) != 1 ? x.sum(0, /*keepdim=*/true) : x;
}

Results attend_backward_cuda(const AttendBackward& given) {
  const c10::cuda::CUDAGuard guard(given.in.query.device());
  AttendInputs in = checked(given.in);
  const AttendGradients g = empty_gradients(given);
  if (is_empty(in)) {
    for (const at::Tensor& x : g.list())
      if (x.defined()) x.zero_();
    return g.list();
  }
  const Prepared p(given.in, std::move(in));
  const cuda::LavoShape& s = p.shape;
  const auto options = p.in.query.options().dtype(at::kFloat);
  const at::Tensor upstream = with_aligned_rows(given.grad_output);
  const at::Tensor weights = at::empty({s.heads, 2}, options);
  cuda::LavoGradients to;
  to.query = rows_of(g.query), to.key = rows_of(g.key), to.value = rows_of(g.value);
  to.weights = floats(weights);
  const bool context = s.memory == cuda::Memory::kContext;
  at::Tensor key_bases, value_bases;  // of each head
  if (g.key_bases.defined()) {
    key_bases = at::empty({s.heads, s.bases, s.width}, options);
    to.key_bases = floats(key_bases);
    if (context) value_bases = at::empty({s.heads, s.bases, s.width}, options);
    if (context) to.value_bases = floats(value_bases);
  }
  to.bias = floats(g.bias);
  at::Tensor projected;
  if (context) {
    projected = at::empty({s.batch, s.heads, s.length, s.bases}, p.in.query.options());
    to.context = rows_of(projected);
  }
  const at::Tensor workspace = scratch(weights, cuda::lavo_workspace_floats(s, to));
  C10_CUDA_CHECK(static_cast<cudaError_t>(
      cuda::lavo_backward(s, p.call, rows_of(upstream), nullptr, to, floats(workspace),
                          c10::cuda::getCurrentCUDAStream(given.in.query.get_device()))));
  g.weights.copy_(weights.t());
  if (context) g.projected.copy_(projected.sum(1, /*keepdim=*/false, at::kFloat));
  if (g.key_bases.defined()) {
    g.key_bases.copy_(of_heads(key_bases, p.in.key_bases.size(0)));
    if (context) {
      const at::Tensor of_values = of_heads(value_bases, p.in.value_bases.size(0));
      g.value_bases.defined() ? g.value_bases.copy_(of_values) : g.key_bases.add_(of_values);
    } else if (g.value_bases.defined()) {
      g.value_bases.zero_();  // key_bases has the sum of both
    }
  }
  return g.list();
}

}  // namespace

std::string attend_refusal_cuda(const AttendFacts& f) {
  const cuda::LavoShape shape = shape_of(f);
  const bool present = c10::cuda::device_count() > 0;  // else nothing is known of its limits
  const char* const why =
      present ? cuda::why_not(shape, limits_of(f.device)) : cuda::why_not(shape);
  return why ? std::string(why) + " on CUDA" : "";
}

TORCH_LIBRARY_FRAGMENT(lavo, m) {
  implement<AttendInputs, attend_cuda>(m, c10::DispatchKey::CUDA);
  implement<AttendBackward, attend_backward_cuda>(m, c10::DispatchKey::CUDA);
}

}  // namespace lavo
