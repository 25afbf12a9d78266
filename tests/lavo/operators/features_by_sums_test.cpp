// SPDX-License-Identifier: MIT
// The formulas of lavo::attend_features on CUDA with a sum that any device has, against the
// recurrence and its derivatives by autograd.
#include "lavo/operators/features_by_sums.h"

#include <ATen/autocast_mode.h>

#include "lavo/core/problem.h"
#include "tests/support/catch.h"
#include "tests/support/feature_problem.h"

using namespace lavo;

namespace {

/// All scores at once.
void triangular_sums(const Tensor& query, const Tensor& key, const Tensor& value, bool reverse,
                     const Tensor& out) {
  for (const Tensor& x : {query, key, value}) REQUIRE((x.size(3) % 8 == 0 && x.size(3) <= 64));
  const Tensor scores = torch::matmul(query, key.transpose(2, 3));
  out.copy_(torch::matmul(reverse ? scores.triu() : scores.tril(), value));
}

FeatureResults results_by_sums(const FeatureInputs& in, bool of_sum) {
  const FeatureOutputs out = features_forward_by_sums(triangular_sums, in),
                       weight = feature_weights(out);
  const FeatureGradients g =
      features_backward_by_sums(triangular_sums, weight.output, of_sum ? weight.sum : Tensor(), in);
  return {{"output", out.output}, {"sum", out.sum},   {"query", g.query},
          {"key", g.key},         {"value", g.value}, {"sum before", g.sum}};
}

void compare_by_sums(const FeatureInputs& in, torch::ScalarType type, double bound,
                     bool of_sum = true) {
  const FeatureInputs stored = stored_as(in, type);
  const FeatureResults expected = results_of(in, feature_recurrence, of_sum),
                       actual = results_by_sums(stored, of_sum),
                       on_cpu = results_of(stored, attend_features, of_sum);
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(expected[i].first, toString(type), in.query.sizes(), in.value.size(3),
            in.key_mask.defined(), in.normaliser.smallest, of_sum);
    CHECK(relative_error(actual[i].second, expected[i].second) <= bound);
    // What the dispatcher promises of both.
    CHECK(actual[i].second.sizes() == on_cpu[i].second.sizes());
    CHECK(actual[i].second.strides() == on_cpu[i].second.strides());
    CHECK(actual[i].second.scalar_type() == on_cpu[i].second.scalar_type());
  }
}

}  // namespace

TEST_CASE("by causal sums: outputs, sums and gradients are those of the recurrence") {
  const bool padding = GENERATE(false, true);
  const auto normaliser =
      GENERATE(FeatureNormaliser{.epsilon = 1e-6}, FeatureNormaliser{.feature_epsilon = 0.1},
               FeatureNormaliser{.smallest = 1e-6});
  for (const int64_t T : {1, 2, 65, 130}) {
    // Columns that are extended and such that are whole: features, values, both, none.
    for (const auto& [M, E] : {std::pair<int64_t, int64_t>{12, 7}, {16, 3}, {5, 1}, {8, 7}}) {
      FeatureInputs in = feature_problem({2, 3, T, M, E}, false, padding);
      in.normaliser = normaliser;
      compare_by_sums(in, torch::kFloat64, feature_bound(torch::kFloat64, T + M));
      compare_by_sums(in, torch::kFloat32, feature_bound(torch::kFloat32, T + M));
      compare_by_sums(in, torch::kFloat64, feature_bound(torch::kFloat64, T + M), false);
    }
  }
}

TEST_CASE("by causal sums: features and values of one block, of several, and of a part of one") {
  for (const auto& [M, E] : {std::pair<int64_t, int64_t>{64, 63}, {64, 64}, {128, 128}, {70, 40}}) {
    const FeatureInputs in = feature_problem({1, 2, 40, M, E}, false, false);
    compare_by_sums(in, torch::kFloat64, feature_bound(torch::kFloat64, 40 + M));
    compare_by_sums(in, torch::kFloat32, feature_bound(torch::kFloat32, 40 + M));
  }
}

TEST_CASE("by causal sums: tokens enough for several pieces of the sums, with a rest and without") {
  for (const int64_t T : {511, 512, 1024, 1100}) {
    const FeatureInputs in = feature_problem({1, 2, T, 12, 6}, false, true);
    compare_by_sums(in, torch::kFloat64, feature_bound(torch::kFloat64, T));
  }
}

TEST_CASE("by causal sums: a clamped normaliser carries no gradient, one of zero divides by 1") {
  FeatureInputs in = feature_problem({1, 2, 40, 9, 5}, false, false);
  in.normaliser.smallest = 40;  // of some tokens only
  compare_by_sums(in, torch::kFloat64, feature_bound(torch::kFloat64, 50));
  in.normaliser = {};
  in.sum.zero_();
  in.key.narrow(2, 0, 10).zero_();  // the first tokens see nothing
  compare_by_sums(in, torch::kFloat64, feature_bound(torch::kFloat64, 50));
}

TEST_CASE("by causal sums: 16-bit values cost no more than the rounding of what is stored") {
  const auto type = GENERATE(torch::kBFloat16, torch::kFloat16);
  FeatureInputs in = feature_problem({2, 2, 100, 24, 16}, false, true);
  in.normaliser.epsilon = 1e-6;
  in.value = in.value.to(type).to(torch::kFloat64);
  compare_by_sums(in, type, 4 * (type == torch::kBFloat16 ? 0x1p-8 : 0x1p-11));
}

TEST_CASE("by causal sums: hidden keys have no influence, whatever they hold") {
  FeatureInputs in = feature_problem({2, 2, 100, 24, 16}, false, true);
  in.normaliser.epsilon = 1e-6;
  const FeatureResults expected = results_by_sums(in, true);
  const Tensor hidden = in.key_mask.logical_not().unsqueeze(1).unsqueeze(3);
  in.key = in.key.masked_fill(hidden, std::numeric_limits<double>::quiet_NaN());
  in.value = in.value.masked_fill(hidden, std::numeric_limits<double>::infinity());
  const FeatureResults actual = results_by_sums(in, true);
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(expected[i].first);
    CHECK(torch::equal(actual[i].second, expected[i].second));
  }
}

TEST_CASE("by causal sums: an autocast region changes nothing") {
  const FeatureInputs in =
      stored_as(feature_problem({1, 2, 40, 9, 5}, false, false), torch::kFloat32);
  const FeatureResults expected = results_by_sums(in, true);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const FeatureResults actual = results_by_sums(in, true);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(expected[i].first);
    CHECK(torch::equal(actual[i].second, expected[i].second));
  }
}

TEST_CASE("by causal sums: levels are refused, and asked of first") {
  const FeatureInputs in = feature_problem({1, 2, 10, 9, 5}, true, false);
  CHECK_THROWS_WITH(features_forward_by_sums(triangular_sums, in),
                    ContainsSubstring("causal sums have no levels"));
  CHECK(can_attend_features(in.value, 9, true));  // on the CPU
  CHECK_FALSE(can_attend_features(in.value.to(torch::kMeta), 9, false));
}
