// SPDX-License-Identifier: MIT
// What every kernel's arguments are made of: raw pointers, sizes and a stream; no CUDA or torch
// header.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace lavo::cuda {

using Stream = CUstream_st*;

enum class Element { kBfloat16, kFloat16, kFloat32 };

/// Vectors of one tensor (batch, heads, length, width): strides in elements, the last dimension is
/// contiguous, every row starts at a multiple of 16 bytes. The [b, n, h, d] layout is strides too.
struct Rows {
  void* data = nullptr;
  int64_t batch = 0, head = 0, row = 0;
};

}  // namespace lavo::cuda
