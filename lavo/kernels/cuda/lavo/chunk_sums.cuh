// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/kernels/cuda/lavo/parts.cuh"

namespace lavo::cuda {

/// sums[batch][head][chunk][mean][column] = sum of the chunk's real rows, in float32 and in a fixed
/// order.
struct ChunkSumsArguments {
  Rows first, second;
  int means;
  const int32_t* real_counts;
  Walk walk;
  int width;  ///< a multiple of 16 bytes' worth
  float* sums;
};

constexpr int kSumThreads = 128;

template <class T>
std::size_t chunk_sums_bytes() {
  return kSumThreads * (16 / sizeof(T)) * sizeof(float);
}

/// Grid: chunks, heads, batch. Each thread adds up 16 bytes' worth of columns of every g-th row.
template <class T>
__global__ void __launch_bounds__(kSumThreads) chunk_sums_kernel(const ChunkSumsArguments a) {
  constexpr int kVector = 16 / sizeof(T);
  const int head = static_cast<int>(blockIdx.y), batch = static_cast<int>(blockIdx.z);
  const int vectors = a.width / kVector, groups = kSumThreads / vectors;
  const int group = thread_id() / vectors, column = thread_id() % vectors * kVector;
  const int64_t rows = static_cast<int64_t>(a.walk.chunk_tiles) * kTileRows;
  const int64_t begin = blockIdx.x * rows;
  const int64_t end = begin + rows < a.walk.length ? begin + rows : a.walk.length;
  const int32_t* real = a.real_counts ? a.real_counts + batch * a.walk.length : nullptr;
  const int64_t block =
      (static_cast<int64_t>(batch) * gridDim.y + head) * a.walk.chunks + blockIdx.x;
  float* partial = reinterpret_cast<float*>(shared_memory());  // [groups][width]

  for (int m = 0; m < a.means; ++m) {
    const HeadRows<T> from = head_rows<T>(m == 0 ? a.first : a.second, batch, head);
    float sum[kVector] = {};
    if (group < groups) {
#pragma unroll 4
      for (int64_t t = begin + group; t < end; t += groups) {
        if (!is_real(real, t, end)) continue;
        alignas(16) T values[kVector];
        prim::copy_16_bytes(values, from.row(t) + column);
#pragma unroll
        for (int i = 0; i < kVector; ++i) sum[i] += prim::to_float(values[i]);
      }
#pragma unroll
      for (int i = 0; i < kVector; ++i) partial[group * a.width + column + i] = sum[i];
    }
    __syncthreads();
    for (int i = thread_id(); i < a.width; i += kSumThreads) {
      float total = 0;
      for (int g = 0; g < groups; ++g) total += partial[g * a.width + i];
      a.sums[(block * a.means + m) * a.width + i] = total;
    }
    if (m + 1 < a.means) __syncthreads();
  }
}

}  // namespace lavo::cuda
