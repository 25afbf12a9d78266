// SPDX-License-Identifier: MIT
// Tensors as the CUDA kernels read them.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "lavo/kernels/cuda/engine/rows.h"

namespace lavo {

/// The numbers of a token side by side, tokens at multiples of 16 bytes.
inline at::Tensor with_aligned_rows(const at::Tensor& x) {
  const int64_t vector = 16 / x.element_size();
  bool aligned = x.stride(3) == 1 && reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
  for (int i = 0; i < 3; ++i) aligned = aligned && (x.size(i) == 1 || x.stride(i) % vector == 0);
  return aligned ? x : x.clone(at::MemoryFormat::Contiguous);
}

inline cuda::Rows rows_of(const at::Tensor& x) {
  if (!x.defined()) return {};
  return {x.data_ptr(), x.stride(0), x.stride(1), x.stride(2)};
}

inline at::Tensor scratch(const at::Tensor& like, int64_t floats) {
  return at::empty({std::max<int64_t>(floats, 1)}, like.options().dtype(at::kFloat));
}

}  // namespace lavo
