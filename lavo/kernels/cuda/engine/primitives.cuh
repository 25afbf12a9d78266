// SPDX-License-Identifier: MIT
// Instructions that C++ has no words for, each with its twin on the host.
#pragma once

#include "lavo/kernels/cuda/engine/target.cuh"

namespace lavo::cuda::prim {

constexpr unsigned kAllLanes = 0xffffffffu;

#ifdef __CUDACC__
LAVO_DEVICE unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}
#endif

/// d (16 x 8, float32) += a (16 x 16) b (16 x 8), fragments as PTX's mma.m16n8k16 lays them out.
template <class Half>
LAVO_DEVICE void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  constexpr bool kIsFloat16 = std::is_same<Half, __half>::value;
#ifdef __CUDACC__
  if constexpr (kIsFloat16) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},"
        "{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},"
        "{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
#else
  emulation::mma_m16n8k16(d, a, b,
                          kIsFloat16 ? emulation::Half::kFloat16 : emulation::Half::kBfloat16);
#endif
}

/// Four 8 x 8 matrices; lanes 8 m to 8 m + 7 point at the rows (16 bytes in shared memory) of
/// matrix m.
template <bool kTransposed>
LAVO_DEVICE void load_matrices(unsigned (&r)[4], const void* row) {
#ifdef __CUDACC__
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row)));
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row)));
  }
#else
  emulation::load_matrices(r, row, kTransposed);
#endif
}

/// Starts a copy of 16 bytes to shared memory; zeros where it is not `valid`.
LAVO_DEVICE void copy_async(void* to, const void* from, bool valid) {
#ifdef __CUDACC__
  asm volatile("cp.async.cg.shared.global [%0],[%1],16,%2;" ::"r"(shared_address(to)), "l"(from),
               "r"(valid ? 16 : 0));
#else
  emulation::copy_async(to, from, valid);
#endif
}

/// Ends a group of copies.
LAVO_DEVICE void commit_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;");
#else
  emulation::commit_copies();
#endif
}

/// Waits until all but the last `kPending` groups of this thread have arrived.
template <int kPending>
LAVO_DEVICE void wait_for_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#else
  emulation::wait_for_copies(kPending);
#endif
}

/// Zero, which the compiler cannot know: added to an address inside a loop, it keeps what is
/// derived from the address out of registers that would live as long as the loop.
LAVO_DEVICE int hidden_zero() {
  int zero = 0;
#ifdef __CUDACC__
  asm volatile("" : "+r"(zero));
#endif
  return zero;
}

LAVO_DEVICE float exp(float x) {
#ifdef __CUDACC__
  return __expf(x);
#else
  return std::exp(x);
#endif
}

/// Two neighbours of a 16-bit type in one register, the first in its low half.
LAVO_DEVICE unsigned pack(__nv_bfloat16 low, __nv_bfloat16 high) {
  return __bfloat16_as_ushort(low) | static_cast<unsigned>(__bfloat16_as_ushort(high)) << 16;
}
LAVO_DEVICE unsigned pack(__half low, __half high) {
  return __half_as_ushort(low) | static_cast<unsigned>(__half_as_ushort(high)) << 16;
}

LAVO_DEVICE float to_float(float x) { return x; }
LAVO_DEVICE float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
LAVO_DEVICE float to_float(__half x) { return __half2float(x); }

template <class T>
LAVO_DEVICE T from_float(float x);
template <>
LAVO_DEVICE float from_float(float x) {
  return x;
}
template <>
LAVO_DEVICE __nv_bfloat16 from_float(float x) {
  return __float2bfloat16(x);
}
template <>
LAVO_DEVICE __half from_float(float x) {
  return __float2half(x);
}

/// Writes two neighbours at once; `to` is aligned to both.
LAVO_DEVICE void store_pair(float* to, float x, float y) {
#ifdef __CUDACC__
  *reinterpret_cast<float2*>(to) = make_float2(x, y);
#else
  emulation::require_aligned(to, 2 * sizeof(float));
  to[0] = x, to[1] = y;
#endif
}
template <class Half>
LAVO_DEVICE void store_pair(Half* to, float x, float y) {
#ifdef __CUDACC__
  *reinterpret_cast<unsigned*>(to) = pack(from_float<Half>(x), from_float<Half>(y));
#else
  emulation::require_aligned(to, 2 * sizeof(Half));
  to[0] = from_float<Half>(x), to[1] = from_float<Half>(y);
#endif
}

/// 16 bytes at once, between shared and device memory.
LAVO_DEVICE void copy_16_bytes(void* to, const void* from) {
#ifdef __CUDACC__
  *static_cast<uint4*>(to) = *static_cast<const uint4*>(from);
#else
  emulation::require_aligned(to, 16);
  emulation::require_aligned(from, 16);
  std::memcpy(to, from, 16);
#endif
}

}  // namespace lavo::cuda::prim
