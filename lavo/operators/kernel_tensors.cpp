// SPDX-License-Identifier: MIT
#include "lavo/operators/kernel_tensors.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/empty_strided.h>

#include "lavo/kernels/cpu/engine/subnormals.h"

namespace lavo {

at::ScalarType kernel_compute_type(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

bool has_kernels(c10::DeviceType device) {
#ifdef LAVO_CUDA
  if (device == at::kCUDA) return true;
#endif
  return device == at::kCPU;
}

cpu::Storage storage_of(const char* op, const at::Tensor& x) {
  switch (x.scalar_type()) {
    case at::kDouble:
      return cpu::Storage::kFloat64;
    case at::kFloat:
      return cpu::Storage::kFloat32;
    case at::kBFloat16:
      return cpu::Storage::kBFloat16;
    case at::kHalf:
      return cpu::Storage::kFloat16;
    default:
      TORCH_CHECK(false, op, ": float64, float32, bfloat16 or float16 wanted, got ",
                  x.scalar_type());
  }
}

at::Tensor side_input(const char* op, const at::Tensor& x, const char* name, at::ScalarType type,
                      at::IntArrayRef shape) {
  TORCH_CHECK(x.defined(), op, ": ", name, " is missing");
  bool fits = x.scalar_type() == type && x.dim() == static_cast<int64_t>(shape.size());
  for (size_t i = 0; fits && i < shape.size(); ++i) {
    fits = shape[i] < 0 || x.size(static_cast<int64_t>(i)) == shape[i];
  }
  TORCH_CHECK(fits, op, ": ", name, " must be ", type, " ", shape, " (-1: any), got ",
              x.scalar_type(), " ", x.sizes());
  return x.contiguous();
}

at::Tensor with_dense_rows(const at::Tensor& x) {
  return x.stride(3) == 1 || x.size(3) == 1 ? x : x.contiguous();
}

at::Tensor empty_contiguous(const at::Tensor& like) {
  return at::empty_like(like, like.options(), at::MemoryFormat::Contiguous);
}

at::Tensor with_plain_strides(const at::Tensor& x) {
  bool plain = true;
  for (int64_t i = x.dim() - 1, stride = 1; i >= 0; stride *= x.size(i--)) {
    plain = plain && x.stride(i) == stride;
  }
  return plain ? x : empty_contiguous(x).copy_(x);
}

at::Tensor empty_tokens(const at::Tensor& like, const at::Tensor& width) {
  const c10::SymInt B = like.sym_size(0), H = like.sym_size(1), T = like.sym_size(2),
                    E = width.sym_size(3);
  // Of one head or one token both are the same, and the strides of such a dimension say nothing.
  const bool heads_inside = H > 1 && T > 1 && like.sym_stride(1) < like.sym_stride(2);
  const c10::SymInt head = heads_inside ? E : T * E, token = heads_inside ? H * E : E;
  return at::empty_strided_symint({B, H, T, E}, {H * T * E, head, token, 1}, like.options());
}

cpu::Tokens cpu_tokens(const at::Tensor& x) {
  return {x.data_ptr(), x.stride(0), x.stride(1), x.stride(2)};
}

void cpu_parallel_for(int64_t count, cpu::RangeFunction body) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) { body(begin, end); });
}

void cpu_parallel_for_flushing(int64_t count, cpu::RangeFunction body) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    const cpu::SubnormalsAreZeros flush;
    body(begin, end);
  });
}

}  // namespace lavo
