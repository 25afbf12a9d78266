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
  const int64_t batch_stride = static_cast<int64_t>(gridDim.y) * a.chunks * a.stride;
  const float* const from = a.from + static_cast<int64_t>(blockIdx.y) * a.chunks * a.stride + i;
  const int pieces = a.batches * a.chunks;
  float sum = 0;
  // One loop over both, unrolled: with one chunk a batch, loads would wait for each other's sums.
#pragma unroll 8
  for (int piece = 0; piece < pieces; ++piece) {
    const int batch = piece / a.chunks;
    sum += from[batch * batch_stride + (piece - batch * a.chunks) * a.stride];
  }
  a.to[static_cast<int64_t>(blockIdx.y) * a.count + i] = sum;
}

}  // namespace lavo::cuda
