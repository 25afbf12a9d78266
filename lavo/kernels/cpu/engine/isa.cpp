// SPDX-License-Identifier: MIT
#include "lavo/kernels/cpu/engine/isa.h"

#include <atomic>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace lavo::cpu {
namespace {

#if defined(__x86_64__)
bool has_half_conversions() {  // clang's __builtin_cpu_supports has no word for them
  unsigned a, b, c = 0, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

Isa best_isa() {
  if (has_isa(Isa::kAvx512)) return Isa::kAvx512;
  return has_isa(Isa::kAvx2) ? Isa::kAvx2 : Isa::kPortable;
}

std::atomic<Isa>& selection() {
  static std::atomic<Isa> isa = best_isa();
  return isa;
}

}  // namespace

bool has_isa(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
             has_isa(Isa::kAvx2);
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             has_half_conversions();
    default:
      return true;
  }
#else
  return isa == Isa::kPortable;
#endif
}

Isa selected_isa() { return selection().load(std::memory_order_relaxed); }
void select_isa(Isa isa) { selection().store(isa, std::memory_order_relaxed); }

}  // namespace lavo::cpu
