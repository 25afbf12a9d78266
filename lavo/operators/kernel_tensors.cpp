// SPDX-License-Identifier: MIT
#include "lavo/operators/kernel_tensors.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>

namespace lavo {

at::ScalarType kernel_compute_type(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
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

cpu::Tokens cpu_tokens(const at::Tensor& x) {
  return {x.data_ptr(), x.stride(0), x.stride(1), x.stride(2)};
}

void cpu_parallel_for(int64_t count, cpu::RangeFunction body) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) { body(begin, end); });
}

}  // namespace lavo
