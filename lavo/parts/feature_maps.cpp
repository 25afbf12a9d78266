// SPDX-License-Identifier: MIT
#include "lavo/parts/feature_maps.h"

#include <numbers>

#include "lavo/bases.h"

namespace lavo {

// In place on its own result, of which no derivative needs the value.
Tensor elu_plus_one(const Tensor& x) { return torch::elu(x).add_(1); }

Tensor cosine_features(const Tensor& x, int64_t position, int64_t max_length) {
  const Tensor angle =
      torch::arange(position, position + x.size(-2), x.options().dtype(torch::kFloat64))
          .mul_(std::numbers::pi / 2 / static_cast<double>(max_length))
          .unsqueeze(1);
  const Tensor positive = x.relu();
  return torch::cat(
      {positive * angle.sin().to(x.scalar_type()), positive * angle.cos().to(x.scalar_type())}, -1);
}

Tensor orthogonal_gaussian_rows(int64_t rows, int64_t width, at::Generator& generator) {
  const Tensor directions = make_bases(BasesInit::kOrthogonal, rows, width, generator);
  const Tensor norms =
      torch::randn({rows, width}, generator, torch::kFloat64).norm(2, 1, /*keepdim=*/true);
  return directions * norms;
}

}  // namespace lavo
