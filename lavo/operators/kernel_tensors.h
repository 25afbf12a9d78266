// SPDX-License-Identifier: MIT
// Tensors as kernels read them. `op` is the name that errors begin with.
#pragma once

#include <ATen/core/Tensor.h>

#include "lavo/kernels/cpu/engine/parallel.h"
#include "lavo/kernels/cpu/engine/tokens.h"

namespace lavo {

/// float64 for float64, else float32: what kernels compute in.
at::ScalarType kernel_compute_type(const at::Tensor& x);

/// Throws where kernels do not take the type.
cpu::Storage storage_of(const char* op, const at::Tensor& x);

/// Contiguous, after a check of its type and shape; -1: any size.
at::Tensor side_input(const char* op, const at::Tensor& x, const char* name, at::ScalarType type,
                      at::IntArrayRef shape);

/// The numbers of each token side by side.
at::Tensor with_dense_rows(const at::Tensor& x_BHTD);

/// Of the same sizes, which may be symbols.
at::Tensor empty_contiguous(const at::Tensor& like);

cpu::Tokens cpu_tokens(const at::Tensor& x_BHTD);

inline const void* data_or_null(const at::Tensor& x) {
  return x.defined() ? x.const_data_ptr() : nullptr;
}

/// By LibTorch's threads.
void cpu_parallel_for(int64_t count, cpu::RangeFunction body);

}  // namespace lavo
