// SPDX-License-Identifier: MIT
#include "baselines/cosformer.h"

#include <cmath>
#include <numbers>

#include "baselines/table.h"
#include "lavo/core/check.h"
#include "lavo/core/problem.h"
#include "lavo/parts/feature_maps.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

constexpr int64_t kLongest = 2147483647;

std::shared_ptr<Mechanism> cosformer(const json& options, bool causal) {
  return make_mechanism("cosformer", options, {.heads = 2, .head_dim = 8, .causal = causal}, 0,
                        torch::kFloat64);
}

Inputs cosformer_inputs(int64_t T, int64_t S, bool causal) {
  return random_inputs({.B = 1, .H = 2, .T = T, .S = S, .D = 8, .E = 5}, torch::kFloat64, 5,
                       {.causal = causal});
}

}  // namespace

TEST_CASE("features keep their phase at the end of the longest sequence") {
  const int64_t position = kLongest - 50;
  const Tensor ones = torch::ones({1, 1, 50, 1}, torch::kFloat64);
  const Tensor features = cosine_features(ones, position, kLongest).view({50, 2});
  for (int64_t i = 0; i < 50; ++i) {
    // From the end: sin(pi/2 (1 - x)) = cos(pi/2 x), with a small x that has no rounding to speak
    // of.
    const double rest =
        std::numbers::pi / 2 * static_cast<double>(50 - i) / static_cast<double>(kLongest);
    CHECK(std::abs(features[i][0].item<double>() - std::cos(rest)) < 4e-16);
    CHECK(std::abs(features[i][1].item<double>() - std::sin(rest)) < 4e-16);
  }
  const Tensor narrow = cosine_features(ones.to(torch::kFloat32), position, kLongest);
  CHECK(narrow.view({50, 2}).equal(features.to(torch::kFloat32)));
}

TEST_CASE("a stream deep in a long sequence weighs by distance") {
  const Inputs in = cosformer_inputs(20, 20, true);
  const auto mechanism = cosformer({{"max_length", 100000}}, true);
  const auto state = mechanism->new_state();
  state->position = 99980;
  const Tensor actual = mechanism->forward(in, *state);
  const Tensor t = torch::arange(20, torch::kFloat64);
  const Tensor cosine = ((t.unsqueeze(1) - t.unsqueeze(0)) * (std::numbers::pi / 2e5)).cos();
  const Tensor weight =
      (torch::matmul(in.query.relu(), in.key.relu().transpose(2, 3)) * cosine).tril();
  const Tensor expected = torch::matmul(weight, in.value) / weight.sum(3, true).clamp_min(1e-6);
  CHECK(worst_row_error(actual, expected) < 1e-13);
}

TEST_CASE("max_length is what the sequence is measured against") {
  CHECK_THROWS_WITH(cosformer(json::object(), true)->forward(cosformer_inputs(8, 8, true)),
                    ContainsSubstring("needs option 'max_length'"));
  CHECK_THROWS_WITH(cosformer(json::object(), true)->new_state(),
                    ContainsSubstring("needs option 'max_length'"));
  CHECK_THROWS_WITH(cosformer({{"max_length", 7}}, true)->forward(cosformer_inputs(8, 8, true)),
                    ContainsSubstring("8 tokens are more than max_length 7"));
  CHECK_THROWS_AS(cosformer({{"max_length", 7}}, false)->forward(cosformer_inputs(3, 8, false)),
                  ShapeError);
  const auto mechanism = cosformer({{"max_length", 8}}, true);
  const auto state = mechanism->new_state();
  mechanism->forward(cosformer_inputs(5, 5, true), *state);
  CHECK_THROWS_AS(mechanism->forward(cosformer_inputs(4, 4, true), *state), ShapeError);
  CHECK_NOTHROW(mechanism->forward(cosformer_inputs(3, 3, true), *state));
  // Unset and not causal: the longer of queries and keys.
  const Inputs cross = cosformer_inputs(3, 8, false);
  CHECK(cosformer(json::object(), false)
            ->forward(cross)
            .equal(cosformer({{"max_length", 8}}, false)->forward(cross)));
  CHECK(find_mechanism("cosformer").resolve(json::object(), {.query_length = 3, .key_length = 8}) ==
        json{{"max_length", 8}});
  CHECK(find_mechanism("cosformer")
            .resolve(json::object(), {.query_length = 3, .key_length = 3, .causal = true}) ==
        json{{"max_length", nullptr}});
}

TEST_CASE("a query whose relu is zero gets zeros") {
  Inputs in = cosformer_inputs(6, 6, true);
  in.query.select(2, 3).abs_().neg_();
  const Tensor output = cosformer({{"max_length", 6}}, true)->forward(in);
  CHECK(output.select(2, 3).equal(torch::zeros_like(output.select(2, 3))));
}
