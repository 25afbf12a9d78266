// SPDX-License-Identifier: MIT
#include "tests/emulation/causal_sum_run.h"
#include "tests/emulation/kernel_tests.h"

namespace lavo::cuda::test {
namespace {

bool check(const CausalSumShape& s, bool heads_inside, unsigned order) {
  set_order(order);
  return report(name_of(s), "forward", order, run_causal_sum(s, heads_inside, order + 11));
}

}  // namespace

bool test_causal_sum() {
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

}  // namespace lavo::cuda::test
