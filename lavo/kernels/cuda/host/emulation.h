// SPDX-License-Identifier: MIT
// CUDA kernels as ordinary C++, so that they are tested, race-checked and measured for coverage
// where there is no GPU: one fiber for each CUDA thread, one block at a time. Fibers switch only at
// barriers and warp collectives; the order in which they run is chosen by `set_thread_order`.
//
// What it shows: wrong values, missing barriers (in some order, and by ThreadSanitizer in any),
// copies that are not waited for, accesses outside shared memory, barriers that not every thread
// reaches. What it does not: time, bank conflicts, registers, a memory order weaker than
// happens-before. Needs the CUDA toolkit's headers, none of its libraries.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <vector_types.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <vector>

#undef __global__
#undef __device__
#undef __host__
#undef __forceinline__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

namespace emulation {

enum class Half { kBfloat16, kFloat16 };  ///< the operands of a matrix product

/// 0: threads run in order; 1: from the last to the first; else shuffled by this seed.
void set_thread_order(unsigned order);

/// A planted bug: in launch number `launch` since it was planted, no thread waits at its barrier
/// (or
/// __syncwarp) number `index`, or wait number `index` for copies leaves one more group pending, or
/// the blocks get 16 bytes of shared memory less.
struct Fault {
  enum Kind { kNone, kNoBarrier, kNoWarpBarrier, kEarlyWait, kLessMemory } kind = kNone;
  int launch = 0, index = 0;
};
void plant(const Fault& fault);

/// How many of them a thread has met in each launch since the last `plant`, by kind.
struct Met {
  int barriers = 0, warp_barriers = 0, waits = 0;
  int shared_bytes = 0;
};
const std::vector<Met>& met();

/// Runs `kernel` once for each thread of each block. Dynamic shared memory starts as NaN. A barrier
/// that cannot complete ends the program with code 3 and says where its threads wait.
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& kernel);

uint3 thread_index();
uint3 block_index();
dim3 block_size();
dim3 grid_size();
unsigned char* shared_memory();

void block_barrier();
void warp_barrier();
/// Every lane gives a value and takes that of lane `source`.
unsigned exchange(unsigned value, int source);
void mma_m16n8k16(float* d, const unsigned* a, const unsigned* b, Half format);
void load_matrices(unsigned* result, const void* row, bool transposed);
/// Copied no sooner than the wait asks for: what is read too early is still NaN.
void copy_async(void* to, const void* from, bool valid);
void commit_copies();
void wait_for_copies(int pending_groups);
/// Ends the program with code 3 where a GPU would report a misaligned address.
void require_aligned(const void* address, std::size_t bytes);

template <class T>
T from_lane(T value, int source) {
  static_assert(sizeof(T) == sizeof(unsigned));
  return std::bit_cast<T>(exchange(std::bit_cast<unsigned>(value), source));
}

}  // namespace emulation

#define threadIdx (::emulation::thread_index())
#define blockIdx (::emulation::block_index())
#define blockDim (::emulation::block_size())
#define gridDim (::emulation::grid_size())

inline void __syncthreads() { emulation::block_barrier(); }
inline void __syncwarp() { emulation::warp_barrier(); }

template <class T>
T __shfl_sync(unsigned, T value, int source) {
  return emulation::from_lane(value, source);
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return emulation::from_lane(value, static_cast<int>(threadIdx.x % 32) ^ mask);
}
template <class T>
T __shfl_up_sync(unsigned, T value, int distance) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  return emulation::from_lane(value, lane >= distance ? lane - distance : lane);
}
template <class T>
T __shfl_down_sync(unsigned, T value, int distance) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  return emulation::from_lane(value, lane + distance < 32 ? lane + distance : lane);
}
