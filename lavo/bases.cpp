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

/// The first rows of Sylvester's matrix, rows of length 1.
Tensor sylvester(int64_t rows, int64_t width) {
  Tensor matrix = torch::ones({1, 1}, torch::kFloat64);
  while (matrix.size(0) < rows) {
    matrix = torch::cat({torch::cat({matrix, matrix}, 1), torch::cat({matrix, -matrix}, 1)}, 0);
  }
  return matrix.narrow(0, 0, rows).repeat({1, width / matrix.size(1)}) /
         std::sqrt(static_cast<double>(width));
}

/// Row k: cos(pi / D (j + 1/2) k), every row of length 1.
Tensor cosines(int64_t rows, int64_t width) {
  const Tensor k = torch::arange(rows, torch::kFloat64).unsqueeze(1);
  const Tensor j = torch::arange(width, torch::kFloat64) + 0.5;
  Tensor matrix = (k * j * (std::numbers::pi / static_cast<double>(width))).cos();
  return matrix / matrix.norm(2, 1, true);
}

// Up to here whole blocks are drawn, of which the first rows are taken: results of records depend
// on it. Wider ones would need D x D numbers, and D^3 operations.
constexpr int64_t kWidestWhole = 1024;

/// The first `rows` of a block, at most D.
Tensor block(BasesInit init, int64_t rows, int64_t width, bool first, at::Generator& generator) {
  const int64_t drawn = width <= kWidestWhole ? width : rows;
  switch (init) {
    case BasesInit::kOrthogonal:
      return orthonormal_blocks(gaussian(drawn, width, generator)).narrow(0, 0, rows);
    case BasesInit::kGaussian:
      return gaussian(drawn, width, generator).narrow(0, 0, rows) /
             std::sqrt(static_cast<double>(width));
    case BasesInit::kHadamard:
      return sylvester(rows, width) * random_signs(width, generator);
    case BasesInit::kSphere: {
      const Tensor drawn_rows = gaussian(drawn, width, generator).narrow(0, 0, rows);
      return drawn_rows / drawn_rows.norm(2, 1, /*keepdim=*/true);
    }
    case BasesInit::kDct:
      return first ? cosines(rows, width) : cosines(rows, width) * random_signs(width, generator);
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
    blocks.push_back(block(init, wanted, width, done == 0, generator));
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
