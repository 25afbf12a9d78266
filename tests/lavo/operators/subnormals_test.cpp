// SPDX-License-Identifier: MIT
// Numbers below the smallest normal one count as zeros in gradients: each costs a core a hundred
// cycles. The caller's own arithmetic keeps them.
#include "lavo/operators/attend.h"
#include "tests/support/catch.h"
#include "tests/support/feature_problem.h"
#include "tests/support/isas.h"

using namespace lavo;

namespace {

constexpr float kBelowNormal = 1e-40F;

/// d sum(output * weight) / d value.
Tensor value_gradient(const Tensor& output, const Tensor& value, float weight) {
  output.backward(torch::full_like(output, weight));
  return value.grad();
}

void require_kept_by_the_caller() {
  volatile float x = kBelowNormal;
  x = x * 0.5F;
  CHECK(x > 0);
}

}  // namespace

TEST_CASE("lavo::attend: gradients below the smallest normal number are zeros") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const std::string memory = GENERATE("none", "shared", "key_value");
  const auto gradient = [&](float weight) {
    torch::manual_seed(1);
    AttendInputs in;
    for (Tensor* x : {&in.query, &in.key, &in.value}) *x = torch::randn({1, 2, 40, 16});
    in.weights = torch::full({2, 2}, 0.5);
    if (memory != "none") in.key_bases = in.value_bases = torch::randn({2, 5, 16});
    in.memory = memory;
    in.window = 8;
    in.causal = true;
    in.value.requires_grad_();
    return value_gradient(attend(in), in.value, weight);
  };
  CHECK(gradient(1).count_nonzero().item<int64_t>() > 0);
  CHECK(gradient(kBelowNormal).count_nonzero().item<int64_t>() == 0);
  require_kept_by_the_caller();
}

TEST_CASE("lavo::attend_features: gradients below the smallest normal number are zeros") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const auto gradient = [](float weight) {
    FeatureInputs in = stored_as(feature_problem({1, 2, 70, 12, 6}, false, false), torch::kFloat32);
    in.value = in.value.detach().requires_grad_();
    return value_gradient(attend_features(in).output, in.value, weight);
  };
  CHECK(gradient(1).count_nonzero().item<int64_t>() > 0);
  CHECK(gradient(kBelowNormal).count_nonzero().item<int64_t>() == 0);
  require_kept_by_the_caller();
}
