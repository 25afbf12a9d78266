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
      const bool causal = is_causal(pattern), cross = is_cross(pattern);
      const Shape shape = small_shape(*variant.entry, 26, 26);
      const auto mechanism = variant.create(shape, causal, cross, torch::kFloat64);
      if (!mechanism || !takes(*mechanism, pattern)) continue;
      CAPTURE(variant.name(), pattern_name(pattern));
      test(*mechanism, variant.inputs(*mechanism, shape, torch::kFloat64, 8,
                                      {.causal = causal, .cross = cross, .padding = true}));
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
    in.each([&](const std::string&, Tensor& x, const std::string& letters) {
      const size_t at = letters.find('S');
      if (at != std::string::npos) x = hide_rows(x, in.key_mask, static_cast<int64_t>(at), content);
    });
    CHECK(torch::equal(mechanism.forward(in), out));
  });
}

TEST_CASE("a query without a visible key gets zeros, and its gradient is finite") {
  for_each_use([&](Mechanism& mechanism, Inputs in) {
    in.key_mask = torch::zeros_like(in.key_mask);
    in = in.leaves();
    const Tensor out = mechanism.forward(in);
    CHECK(out.count_nonzero().item<int64_t>() == 0);
    out.sum().backward();
    in.each([](const Tensor& x) {
      CHECK((!x.grad().defined() || x.grad().isfinite().all().item<bool>()));
    });
  });
}

TEST_CASE("padded at the end is truncated, at every real query") {
  torch::NoGradGuard no_grad;
  constexpr int64_t kReal = 17;
  for_each_use([&](Mechanism& mechanism, Inputs in) {
    if (in.is_cross()) return;
    in.key_mask = torch::arange(26).lt(kReal).expand({2, 26});
    const Tensor padded = mechanism.forward(in).narrow(2, 0, kReal);
    Inputs cut = in.narrow(0, kReal);
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
