// SPDX-License-Identifier: MIT
#include "baselines/linear.h"

#include "lavo/parts/feature_maps.h"
#include "lavo/parts/weight_rows.h"

namespace lavo {
namespace {

constexpr int64_t kLinearChunk = 64;

}  // namespace

FeatureAttention Linear::attention(const Inputs& in, bool) {
  return {.features = feature_count(in.query.size(3)),
          .chunk = kLinearChunk,
          .query = [](const FeatureTile& tile) { return elu_plus_one(tile.x_BHTD); },
          .key = [](const FeatureTile& tile,
                    const Tensor&) { return KeyFeatures{elu_plus_one(tile.x_BHTD)}; },
          .normaliser = {.epsilon = options_.epsilon}};
}

Tensor Linear::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  const auto phi = [](const Tensor& x) { return torch::where(x > 0, x + 1, x.exp()); };
  const RowWeights weights = [&](const Tensor& query, const Tensor& key, int64_t) {
    return torch::matmul(phi(query), phi(key).transpose(2, 3));
  };
  return weighted_rows(in, rows, weights,
                       [&](const Tensor& total) { return total + options_.epsilon; });
}

Cost Linear::cost(const Shape& shape, Pattern pattern) const {
  return feature_cost(shape, pattern, kLinearChunk, 2 * static_cast<double>(shape.D));
}

}  // namespace lavo
