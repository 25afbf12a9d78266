// SPDX-License-Identifier: MIT
#include "lavo/core/random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <cmath>

#include "tests/support/catch.h"

using namespace lavo;

namespace {

torch::Tensor numbers(at::Generator generator) {
  return torch::randn({4096}, generator, torch::kFloat64);
}

}  // namespace

TEST_CASE("every bit of a seed counts, and seeds of 32 bits give LibTorch's own streams") {
  const torch::Tensor one = numbers(make_generator(1));
  CHECK(one.equal(numbers(make_generator(1))));
  CHECK(one.equal(numbers(torch::make_generator<at::CPUGeneratorImpl>(1))));
  for (int bit = 1; bit < 64; ++bit) {
    CAPTURE(bit);
    const uint64_t seed = 1 | uint64_t{1} << bit;
    const torch::Tensor other = numbers(make_generator(seed));
    CHECK(other.equal(numbers(make_generator(seed))));
    // Of independent streams: the mean product of 4096 pairs has deviation 1/64, six of them.
    CHECK(std::abs((one * other).mean().item<double>()) < 6.0 / 64);
    CHECK(std::abs(other.mean().item<double>()) < 6.0 / 64);
    CHECK(std::abs(other.square().mean().item<double>() - 1) < 6 * std::sqrt(2.0) / 64);
  }
}
