// SPDX-License-Identifier: MIT
#include "lavo/bases.h"

#include <ATen/ops/linalg_qr.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "lavo/core/check.h"

namespace lavo {
namespace {

Tensor gaussian(int64_t rows, int64_t columns, at::Generator& generator) {
  return torch::randn({rows, columns}, generator, torch::kFloat64);
}

Tensor random_signs(int64_t count, at::Generator& generator) {
  return torch::randint(0, 2, {count}, generator, torch::kFloat64).mul_(2).sub_(1);
}

Tensor sylvester(int64_t width) {
  Tensor matrix = torch::ones({1, 1}, torch::kFloat64);
  while (matrix.size(0) < width) {
    matrix = torch::cat({torch::cat({matrix, matrix}, 1), torch::cat({matrix, -matrix}, 1)}, 0);
  }
  return matrix / std::sqrt(static_cast<double>(width));
}

/// Row k: cos(pi / D (j + 1/2) k), every row of length 1.
Tensor cosines(int64_t width) {
  const Tensor k = torch::arange(width, torch::kFloat64).unsqueeze(1);
  const Tensor j = torch::arange(width, torch::kFloat64) + 0.5;
  Tensor matrix = (k * j * (std::numbers::pi / static_cast<double>(width))).cos();
  return matrix / matrix.norm(2, 1, true);
}

Tensor block(BasesInit init, int64_t width, bool first, at::Generator& generator) {
  switch (init) {
    case BasesInit::kOrthogonal:
      return orthonormal_blocks(gaussian(width, width, generator));
    case BasesInit::kGaussian:
      return gaussian(width, width, generator) / std::sqrt(static_cast<double>(width));
    case BasesInit::kHadamard:
      return sylvester(width) * random_signs(width, generator);
    case BasesInit::kDct:
      return first ? cosines(width) : cosines(width) * random_signs(width, generator);
  }
  fail("bases: no such init");
}

}  // namespace

Tensor make_bases(BasesInit init, int64_t rows, int64_t width, at::Generator& generator) {
  require<OptionError>(
      init != BasesInit::kHadamard || std::has_single_bit(static_cast<uint64_t>(width)),
      "lavo: bases_init 'hadamard' needs a width that is a power of 2, got {}", width);
  std::vector<Tensor> blocks;
  for (int64_t done = 0; done < rows; done += width) {
    const int64_t wanted = std::min(width, rows - done);
    blocks.push_back(block(init, width, done == 0, generator).narrow(0, 0, wanted));
  }
  return torch::cat(blocks, 0);
}

Tensor orthonormal_blocks(const Tensor& free) {
  const int64_t rows = free.size(-2), width = free.size(-1);
  std::vector<Tensor> blocks;
  for (int64_t done = 0; done < rows; done += width) {
    const Tensor columns =
        to_compute(free.narrow(-2, done, std::min(width, rows - done))).transpose(-2, -1);
    const auto [q, r] = at::linalg_qr(columns);
    const Tensor signs = r.detach().diagonal(0, -2, -1).sign();
    blocks.push_back((q * signs.unsqueeze(-2)).transpose(-2, -1));
  }
  return torch::cat(blocks, -2);
}

}  // namespace lavo
