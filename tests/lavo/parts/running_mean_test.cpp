// SPDX-License-Identifier: MIT
#include "lavo/parts/running_mean.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace lavo;

namespace {

Tensor values(int64_t length, int64_t rows, double mean) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(3);
  return torch::randn({1, 1, length, rows}, generator, torch::kFloat32) + mean;
}

/// To within a few float32 roundings.
bool is_near(const Tensor& actual, double expected) {
  return std::abs(actual.item<double>() - expected) <= 4 * std::ldexp(1.0, -24) * expected;
}

}  // namespace

TEST_CASE("the error of the float32 mean does not grow with the length") {
  constexpr int64_t kLength = 1 << 18, kTile = 512;
  const Tensor y = values(kLength, 2, 0.5);
  RunningMean running;
  Tensor last;
  for (int64_t t = 0; t < kLength; t += kTile) last = running.next(y.narrow(2, t, kTile), {});
  const double exact = y.to(torch::kFloat64).select(3, 0).mean().item<double>();
  const double got = last[0][0][kTile - 1][0].item<double>();
  // Two roundings of the result and what is left of 512 in the last tile's own mean.
  CHECK(std::abs(got - exact) <= 4 * std::ldexp(1.0, -24) * std::abs(exact));
}

TEST_CASE("a decayed mean forgets by position, and keeps what it has across a long padding") {
  const Tensor decay = torch::tensor({0.5, 0.9}, torch::kFloat64);
  const Tensor y =
      torch::tensor({4.0, 8.0}, torch::kFloat32).view({1, 1, 2, 1}).expand({1, 1, 2, 2});
  RunningMean running(decay);
  const Tensor means = running.next(y, {});
  // (0.5 * 4 + 8) / 1.5 and (0.9 * 4 + 8) / 1.9
  CHECK(is_near(means[0][0][1][0], 10 / 1.5));
  CHECK(is_near(means[0][0][1][1], 11.6 / 1.9));

  const int64_t padding = 3000;  // 0.5^3000 is zero in every type
  const Tensor nothing = torch::zeros({1, 1, padding, 2});
  const Tensor hidden = torch::zeros({1, padding}, torch::kBool);
  const Tensor kept = running.next(nothing, hidden);
  CHECK(torch::equal(kept.narrow(2, padding - 1, 1), means.narrow(2, 1, 1)));
  const Tensor next = running.next(torch::full({1, 1, 1, 2}, 5.0f), {});
  CHECK(is_near(next[0][0][0][0], 5.0));  // the old tokens weigh nothing any more
}

TEST_CASE("multiscale decays go from 1/2 to 511/512") {
  const Tensor decays = multiscale_decays(9);
  CHECK(is_near(decays[0], 0.5));
  CHECK(is_near(decays[8], 511.0 / 512));
  CHECK((decays.diff() > 0).all().item<bool>());
}
