// SPDX-License-Identifier: MIT
#ifdef __CUDACC__  // the kernels that must not spill
#include "lavo/kernels/cuda/features/causal_sum.cu"
#else

#include "tests/emulation/causal_sum_run.h"
#include "tests/emulation/kernel_case.h"

namespace lavo::cuda::test {
namespace {

#ifdef LAVO_PLANTED_BUGS

class CausalSumCase final : public KernelCase {
 public:
  CausalSumCase() : KernelCase("causal_sum") {}
  std::vector<Planted> planted() override {
    const CausalSumShape s{.length = 200, .features = 32, .width = 32};
    const auto sum = [s] { return run_causal_sum(s, false, 5); };
    return {{name_of(s), sum, sum}};
  }
};

#else

bool check(const CausalSumShape& s, bool heads_inside, unsigned order) {
  set_order(order);
  return report(name_of(s), "forward", order, run_causal_sum(s, heads_inside, order + 11));
}

bool causal_sum_values() {
  bool good = true;
  set_order(0);
  for (const bool reverse : {false, true})
    good &= report(
        reverse ? "causal sum, small before large, reverse" : "causal sum, small after large",
        "forward", 0, run_small_after_large(reverse));
  for (const bool reverse : {false, true}) {
    CausalSumShape s{.batch = 1, .heads = 2, .length = 200, .reverse = reverse};
    good &= check(s, reverse, 7);
    s.heads = 1, s.length = 130, s.features = 40, s.width = 56;
    good &= check(s, !reverse, 1);
    for (const int64_t length : {1, 63, 65}) {
      s.length = length, s.features = 8, s.width = 16;
      good &= check(s, false, 0);
    }
  }
  return good;
}

class CausalSumCase final : public KernelCase {
 public:
  CausalSumCase() : KernelCase("causal_sum") {}
  bool values() override { return causal_sum_values(); }
  std::vector<double> bits() override {
    return causal_sum_outputs({.batch = 1, .heads = 2, .length = 200}, /*heads_inside=*/true, 7);
  }
};

#endif

CausalSumCase causal_sum_case;

}  // namespace
}  // namespace lavo::cuda::test
#endif
