// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/kernels/cuda/engine/target.cuh"

namespace lavo::cuda {

/// to[head][i] = sum over batch and chunk of from[batch][head][chunk][i], i < count, in that order.
struct ReduceArguments {
  const float* from;
  float* to;
  int64_t stride;  ///< between chunks
  int batches, chunks, count;
};

constexpr int kReduceThreads = 128;

/// Grid: ceil(count / kReduceThreads), heads.
static __global__ void __launch_bounds__(kReduceThreads) reduce_kernel(const ReduceArguments a) {
  const int i = static_cast<int>(blockIdx.x) * kReduceThreads + thread_id();
  if (i >= a.count) return;
  float sum = 0;
  for (int batch = 0; batch < a.batches; ++batch) {
    const int64_t head = static_cast<int64_t>(batch) * gridDim.y + blockIdx.y;
    const float* from = a.from + head * a.chunks * a.stride + i;
#pragma unroll 8
    for (int chunk = 0; chunk < a.chunks; ++chunk) sum += from[chunk * a.stride];
  }
  a.to[static_cast<int64_t>(blockIdx.y) * a.count + i] = sum;
}

}  // namespace lavo::cuda
