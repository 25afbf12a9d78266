// SPDX-License-Identifier: MIT
#pragma once

#include <stdint.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace lavo::cpu {

/// While it lives, its thread takes numbers below the smallest normal one for zeros, in and out:
/// each operation on one costs an x86 core up to 150 cycles. Floats are then off by less than
/// 1.2e-38, of which a sum of normal numbers has no digit. float16 keeps its subnormals: they are
/// normal floats, and conversions look at neither flag.
class SubnormalsAreZeros {
 public:
#if defined(__SSE2__)
  SubnormalsAreZeros() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlush); }
  ~SubnormalsAreZeros() { _mm_setcsr(before_); }
  SubnormalsAreZeros(const SubnormalsAreZeros&) = delete;
  SubnormalsAreZeros& operator=(const SubnormalsAreZeros&) = delete;

 private:
  static constexpr uint32_t kFlush = 0x8040;  // of results, of operands
  uint32_t before_;
#else
  SubnormalsAreZeros() {}  // elsewhere they cost nothing, or it is not asked for
#endif
};

}  // namespace lavo::cpu
