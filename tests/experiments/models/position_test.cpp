// SPDX-License-Identifier: MIT
#include "experiments/models/position.h"

#include <cmath>

#include "baselines/table.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

Tensor random_heads(int64_t heads, int64_t length, int64_t width, uint64_t seed) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn({1, heads, length, width}, generator, torch::kFloat64);
}

double largest_of(const Tensor& x) { return x.abs().max().item<double>(); }

}  // namespace

TEST_CASE("rope turns each pair by its angle") {
  Rotary rotary(6);
  const Tensor x = random_heads(2, 5, 6, 1);
  const int64_t first = 1000;
  const Tensor y = rotary.rotate(x, first);
  for (int64_t t = 0; t < 5; ++t) {
    for (int64_t i = 0; i < 3; ++i) {
      const double angle =
          static_cast<double>(first + t) * std::pow(10000, -2.0 * static_cast<double>(i) / 6);
      const double a = x[0][1][t][2 * i].item<double>(), b = x[0][1][t][2 * i + 1].item<double>();
      CHECK(std::abs(y[0][1][t][2 * i].item<double>() -
                     (a * std::cos(angle) - b * std::sin(angle))) < 1e-10);
      CHECK(std::abs(y[0][1][t][2 * i + 1].item<double>() -
                     (a * std::sin(angle) + b * std::cos(angle))) < 1e-10);
    }
  }
}

TEST_CASE("under rope products depend on the distance alone, at a million tokens too") {
  const Tensor q = random_heads(1, 1, 32, 1), k = random_heads(1, 1, 32, 2);
  const auto product = [&](int64_t t, int64_t s, torch::ScalarType type) {
    Rotary rotary(32);
    return (rotary.rotate(q.to(type), t) * rotary.rotate(k.to(type), s)).sum().item<double>();
  };
  CHECK(std::abs(product(10, 3, torch::kFloat64) - product(110, 103, torch::kFloat64)) < 1e-12);
  CHECK(std::abs(product(10, 3, torch::kFloat64) - product(10, 4, torch::kFloat64)) > 1e-3);
  // Phases come from float64: only the rounding of 32 float32 products is left.
  CHECK(std::abs(product(1000007, 1000000, torch::kFloat32) - product(7, 0, torch::kFloat64)) <
        32 * 6e-8 * largest_of(q) * largest_of(k) * 4);
}

TEST_CASE("alibi on extra columns equals the bias matrix") {
  const auto name = GENERATE("vanilla", "vanilla_math");
  const int64_t heads = GENERATE(1, 2, 8, 12), T = 300, D = 8;
  CAPTURE(name, heads);
  Inputs in;
  in.query = random_heads(heads, T, D, 1);
  in.key = random_heads(heads, T, D, 2);
  in.value = random_heads(heads, T, D, 3);
  in.causal = true;

  const Tensor t = torch::arange(T, torch::kFloat64);
  const Tensor distance = t.unsqueeze(1) - t.unsqueeze(0);
  // Slopes written out; 12 heads take those of 8, then every other one of 16.
  const std::vector<double> of_8 = {0.5,     0.25,     0.125,     0.0625,
                                    0.03125, 0.015625, 0.0078125, 0.00390625};
  std::vector<double> slopes = of_8;
  if (heads == 1) slopes = {0.5};
  if (heads == 2) slopes = {0.5, 0.03125};
  if (heads == 12) {
    for (const double slope : {0, 1, 2, 3}) slopes.push_back(std::exp2(-0.5 - slope));
  }
  const Tensor slope = torch::tensor(slopes, torch::kFloat64).view({1, heads, 1, 1});
  const Tensor logits =
      torch::matmul(in.query, in.key.transpose(2, 3)) / std::sqrt(D) - slope * distance;
  const Tensor hidden = distance < 0;
  const Tensor expected =
      torch::matmul(logits.masked_fill(hidden, -INFINITY).softmax(-1), in.value);

  widen_for_alibi(in, 0);
  const auto mechanism = find_mechanism(name).create(
      json::object(), {.heads = heads, .head_dim = D, .value_dim = D, .causal = true}, 0);
  const Tensor out = mechanism->forward(in);
  CHECK(out.size(3) == D + 8);
  CHECK(largest_of(out.narrow(3, 0, D) - expected) < 1e-12 * 300);
  CHECK(largest_of(out.narrow(3, D, 8)) == 0);
}

TEST_CASE("sinusoids are those of the formula") {
  const Tensor table = sinusoids(7, 4, 6, torch::kCPU);
  for (int64_t t = 0; t < 4; ++t) {
    for (int64_t i = 0; i < 6; ++i) {
      const double angle =
          static_cast<double>(7 + t) * std::pow(10000, -2.0 * static_cast<double>(i / 2) / 6);
      CHECK(std::abs(table[t][i].item<double>() - (i % 2 ? std::cos(angle) : std::sin(angle))) <
            1e-12);
    }
  }
}

TEST_CASE("alibi is refused where there are no logits to bias") {
  for (const Entry& entry : mechanisms()) {
    const bool is_softmax = entry.name == "vanilla" || entry.name == "vanilla_math";
    CAPTURE(entry.name);
    CHECK(position_refusal(entry, PositionEncoding::kAlibi).empty() == is_softmax);
    CHECK(position_refusal(entry, PositionEncoding::kRope).empty());
  }
}
