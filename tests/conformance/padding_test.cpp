// SPDX-License-Identifier: MIT
#include <limits>

#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

template <class Test>
void for_each_use(const Test& test) {
  for (const Variant& variant : variants()) {
    for (const Pattern pattern : kPatterns) {
      const bool causal = pattern == Pattern::kCausalSelf || pattern == Pattern::kCausalCross;
      const bool cross = pattern == Pattern::kNoncausalCross || pattern == Pattern::kCausalCross;
      const Shape shape = small_shape(*variant.entry, 26, 26);
      const auto mechanism = variant.create(shape, causal, cross, torch::kFloat64);
      if (!mechanism || !variant.includes(pattern)) continue;
      CAPTURE(variant.name(), pattern_name(pattern));
      const Inputs in = random_inputs(shape, torch::kFloat64, 8,
                                      {.causal = causal, .cross = cross, .padding = true});
      if (!refuses(*mechanism, in)) test(*mechanism, in);
    }
  }
}

}  // namespace

TEST_CASE("a padded key has no influence, whatever it holds") {
  torch::NoGradGuard no_grad;
  const double content = GENERATE(1e30, std::numeric_limits<double>::quiet_NaN(),
                                  std::numeric_limits<double>::infinity());
  for_each_use([&](Mechanism& mechanism, Inputs in) {
    const Tensor out = mechanism.forward(in);
    const Tensor padded = in.key_mask.logical_not().unsqueeze(1).unsqueeze(-1);
    in.key = in.key.masked_fill(padded, content);
    in.value = in.value.masked_fill(padded, content);
    CHECK(torch::equal(mechanism.forward(in), out));
  });
}

TEST_CASE("a query without a visible key gets zeros, and its gradient is finite") {
  for_each_use([&](Mechanism& mechanism, Inputs in) {
    in.key_mask = torch::zeros_like(in.key_mask);
    for (Tensor* x : {&in.query, &in.key, &in.value}) x->requires_grad_();
    const Tensor out = mechanism.forward(in);
    CHECK(out.count_nonzero().item<int64_t>() == 0);
    out.sum().backward();
    for (const Tensor& x : {in.query, in.key, in.value}) {
      CHECK((!x.grad().defined() || x.grad().isfinite().all().item<bool>()));
    }
  });
}

TEST_CASE("padded at the end is truncated, at every real query") {
  torch::NoGradGuard no_grad;
  constexpr int64_t kReal = 17;
  for_each_use([&](Mechanism& mechanism, Inputs in) {
    if (in.is_cross()) return;
    in.key_mask = torch::arange(26).lt(kReal).expand({2, 26});
    const Tensor padded = mechanism.forward(in).narrow(2, 0, kReal);
    Inputs cut = in;
    for (Tensor* x : {&cut.query, &cut.key, &cut.value}) *x = x->narrow(2, 0, kReal);
    cut.key_mask = Tensor();
    const double error = worst_row_error(padded, mechanism.forward(cut));
    const double bound = tolerance(torch::kFloat64, 26 + 64);
    if (error <= bound) {
      SUCCEED();
      return;
    }
    CHECK(error <= kIterationSlack * (bound + moved_by(bound, mechanism, cut)));
  });
}
