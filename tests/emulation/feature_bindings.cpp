// SPDX-License-Identifier: MIT
// lavo::attend_features as it is bound for GPUs, on the emulated kernels, against the recurrence in
// float64.
#include <torch/torch.h>

#include "lavo/operators/cuda/attend_features.cpp"  // its functions, as in attend_bindings.cpp
#include "tests/support/catch.h"
#include "tests/support/feature_problem.h"

namespace lavo {
namespace {

FeatureInputs features_in_float64(FeatureInputs in) {
  for (at::Tensor* x : {&in.query, &in.key, &in.value, &in.sum}) {
    *x = x->to(at::kDouble, /*non_blocking=*/false, /*copy=*/true).requires_grad_();
  }
  return in;
}

}  // namespace

TEST_CASE("attend_features as bound on CUDA is the recurrence, in every gradient, size and type") {
  const FeatureSize size = GENERATE(FeatureSize{2, 3, 150, 24, 16}, FeatureSize{1, 2, 65, 64, 63},
                                    FeatureSize{2, 1, 70, 80, 40}, FeatureSize{1, 1, 1, 3, 5});
  const at::ScalarType type = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const bool padded = GENERATE(false, true), inside = GENERATE(false, true);
  CAPTURE(size.T, size.M, size.E, type, padded, inside);
  FeatureInputs in = stored_as(feature_problem(size, /*levels=*/false, padded), type);
  in.normaliser.epsilon = 1e-6;
  if (inside) {
    for (at::Tensor* x : {&in.query, &in.key, &in.value})
      *x = x->transpose(1, 2).contiguous().transpose(1, 2);
  }
  const FeatureInputs exact = features_in_float64(in);
  const FeatureOutputs expected = feature_recurrence(exact);
  torch::manual_seed(3);
  const at::Tensor upstream = torch::randn(in.value.sizes()).to(type);
  const at::Tensor of_sum = torch::randn(in.sum.sizes(), at::kDouble);
  const auto wanted = torch::autograd::grad({expected.output, expected.sum},
                                            {exact.query, exact.key, exact.value, exact.sum},
                                            {upstream.to(at::kDouble), of_sum});

  const Results out = features_cuda(in);
  const double stored = feature_bound(type, size.T), computed = feature_bound(at::kFloat, size.T);
  CHECK(out[0].scalar_type() == type);
  CHECK(relative_error(out[0], expected.output) < stored);
  CHECK(relative_error(out[1], expected.sum) < computed);
  const Results got = features_backward_cuda({upstream, of_sum, in});
  REQUIRE(got.size() == wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(got[i].sizes() == wanted[i].sizes());
    CHECK(relative_error(got[i], wanted[i]) < stored);
  }
}

TEST_CASE("attend_features as bound on CUDA: more batches than a grid has are refused") {
  AttendFeaturesFacts facts{.device = c10::kCUDA, .B = 65535, .H = 2, .T = 64};
  CHECK(attend_features_refusal_cuda(facts).empty());
  facts.B = 65536;
  CHECK_THAT(attend_features_refusal_cuda(facts), ContainsSubstring("more than 65535 batches"));
}

}  // namespace lavo
