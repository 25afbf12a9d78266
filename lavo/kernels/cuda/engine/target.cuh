// SPDX-License-Identifier: MIT
// The same kernels for nvcc and, in tests, for the host: what differs is here and in
// primitives.cuh.
#pragma once

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#else
#include "lavo/kernels/cuda/host/emulation.h"
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lavo/kernels/cuda/engine/rows.h"

#define LAVO_DEVICE __device__ __forceinline__
#define LAVO_BOTH __host__ __device__ __forceinline__

namespace lavo::cuda {

#ifdef __CUDACC__
LAVO_DEVICE unsigned char* shared_memory() {
  extern __shared__ __align__(16) unsigned char memory[];
  return memory;
}

template <class... Parameters>
int launch(void (*kernel)(Parameters...), dim3 grid, int threads, std::size_t shared_bytes,
           Stream stream, const std::common_type_t<Parameters>&... arguments) {
  if (shared_bytes > 48 * 1024) {  // more than that has to be asked for
    // The device's most, whatever this call needs: the attribute is the kernel's, and a thread with
    // a smaller window would take it from under another thread's launch.
    int device = 0, most = 0;
    cudaError_t failed = cudaGetDevice(&device);
    if (failed == cudaSuccess)
      failed = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
    if (failed == cudaSuccess)
      failed = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                    cudaFuncAttributeMaxDynamicSharedMemorySize, most);
    if (failed != cudaSuccess) return failed;
  }
  kernel<<<grid, threads, shared_bytes, stream>>>(arguments...);
  return cudaGetLastError();
}
#else
inline unsigned char* shared_memory() { return emulation::shared_memory(); }

template <class... Parameters>
int launch(void (*kernel)(Parameters...), dim3 grid, int threads, std::size_t shared_bytes, Stream,
           const std::common_type_t<Parameters>&... arguments) {
  emulation::launch(grid, dim3(static_cast<unsigned>(threads)), shared_bytes,
                    [&] { kernel(arguments...); });
  return 0;
}
#endif

/// A thread of the block: warps are numbered, lanes hold rows `row` and `row + 8` of a 16 x 8
/// accumulator, columns `pair` and `pair + 1`.
LAVO_DEVICE int thread_id() { return static_cast<int>(threadIdx.x); }
LAVO_DEVICE int warp_id() { return thread_id() / 32; }
LAVO_DEVICE int lane_id() { return thread_id() % 32; }
LAVO_DEVICE int lane_row() { return lane_id() / 4; }
LAVO_DEVICE int lane_pair() { return lane_id() % 4 * 2; }

}  // namespace lavo::cuda
