// SPDX-License-Identifier: MIT
#include "lavo/bases.h"

#include <cmath>

#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

Tensor drawn(BasesInit init, int64_t rows, int64_t width, uint64_t seed = 1) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  return make_bases(init, rows, width, generator);
}

/// The largest departure of B B^T from the unit matrix.
double departure(const Tensor& rows) {
  return (torch::matmul(rows, rows.t()) - torch::eye(rows.size(0), rows.options()))
      .abs()
      .max()
      .item<double>();
}

}  // namespace

TEST_CASE("orthogonal, hadamard and dct bases are orthonormal in blocks of the width") {
  const auto init = GENERATE(BasesInit::kOrthogonal, BasesInit::kHadamard, BasesInit::kDct);
  CHECK(departure(drawn(init, 5, 16)) < 1e-14);
  const Tensor stacked = drawn(init, 40, 16);
  CHECK(stacked.sizes() == torch::IntArrayRef({40, 16}));
  for (const auto& [first, count] : {std::pair{0, 16}, std::pair{16, 16}, std::pair{32, 8}}) {
    CHECK(departure(stacked.narrow(0, first, count)) < 1e-14);
  }
  // The blocks are independent draws: no row of the second repeats one of the first.
  const Tensor cosine = torch::matmul(stacked.narrow(0, 0, 16), stacked.narrow(0, 16, 16).t());
  CHECK(cosine.abs().max().item<double>() < 0.999);
}

TEST_CASE("a few rows of a wide block cost no whole one") {
  constexpr int64_t kWide = int64_t{1} << 21;  // a whole block would be 32 TiB
  for (const auto init : {BasesInit::kOrthogonal, BasesInit::kHadamard, BasesInit::kDct}) {
    CHECK(departure(drawn(init, 3, kWide)) < 1e-12);
  }
  const Tensor gaussian = drawn(BasesInit::kGaussian, 3, kWide);
  CHECK(std::abs(gaussian.square().sum().item<double>() - 3) < 0.02);
}

TEST_CASE("gaussian bases have variance 1/D and are not orthonormal") {
  const Tensor rows = drawn(BasesInit::kGaussian, 64, 64);
  // 4096 draws: the variance is known to sqrt(2 / 4096) = 2.2 %, five times that is allowed.
  CHECK(std::abs(rows.var().item<double>() * 64 - 1) < 0.11);
  CHECK(departure(rows) > 0.1);
}

TEST_CASE("bases come from the seed, and hadamard asks for a power of 2") {
  CHECK(torch::equal(drawn(BasesInit::kOrthogonal, 8, 8), drawn(BasesInit::kOrthogonal, 8, 8)));
  CHECK_FALSE(
      torch::equal(drawn(BasesInit::kOrthogonal, 8, 8), drawn(BasesInit::kOrthogonal, 8, 8, 2)));
  CHECK_THROWS_AS(drawn(BasesInit::kHadamard, 8, 12), OptionError);
}

TEST_CASE("a free matrix is taken to orthonormal blocks, and an orthonormal one stays") {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(4);
  const Tensor free = torch::randn({2, 10, 6}, generator, torch::kFloat64);
  const Tensor rows = orthonormal_blocks(free);
  for (int64_t head = 0; head < 2; ++head) {
    CHECK(departure(rows[head].narrow(0, 0, 6)) < 1e-14);
    CHECK(departure(rows[head].narrow(0, 6, 4)) < 1e-14);
  }
  CHECK((orthonormal_blocks(rows) - rows).abs().max().item<double>() < 1e-14);
}
