// SPDX-License-Identifier: MIT
// Tensors as kernels read them. `op` is the name that errors begin with.
#pragma once

#include <ATen/core/Tensor.h>

#include "lavo/kernels/cpu/engine/parallel.h"
#include "lavo/kernels/cpu/engine/tokens.h"

namespace lavo {

/// float64 for float64, else float32: what kernels compute in.
at::ScalarType kernel_compute_type(const at::Tensor& x);

/// Whether this build has kernels for the device. What they refuse by rule is the same in every
/// build, so that a plan made on one machine holds on another.
bool has_kernels(c10::DeviceType device);

/// Throws where kernels do not take the type.
cpu::Storage storage_of(const char* op, const at::Tensor& x);

/// Contiguous, after a check of its type and shape; -1: any size.
at::Tensor side_input(const char* op, const at::Tensor& x, const char* name, at::ScalarType type,
                      at::IntArrayRef shape);

/// The numbers of each token side by side.
at::Tensor with_dense_rows(const at::Tensor& x_BHTD);

/// Of the same sizes, which may be symbols.
at::Tensor empty_contiguous(const at::Tensor& like);

/// The same numbers with the strides of a contiguous tensor, in dimensions of size 1 too.
at::Tensor with_plain_strides(const at::Tensor& x);

/// Tokens (B,H,T,E), E as in `width`: [B,T,H,E] in memory where `like` has heads inside tokens,
/// else [B,H,T,E]. Every device and Meta lay out their results so, whatever they make of their
/// inputs.
at::Tensor empty_tokens(const at::Tensor& like, const at::Tensor& width);

cpu::Tokens cpu_tokens(const at::Tensor& x_BHTD);

inline const void* data_or_null(const at::Tensor& x) {
  return x.defined() ? x.const_data_ptr() : nullptr;
}

/// By LibTorch's threads.
void cpu_parallel_for(int64_t count, cpu::RangeFunction body);
/// The same for gradients: numbers below the smallest normal one count as zeros.
void cpu_parallel_for_flushing(int64_t count, cpu::RangeFunction body);

}  // namespace lavo
