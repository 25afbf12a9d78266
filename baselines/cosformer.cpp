// SPDX-License-Identifier: MIT
#include "baselines/cosformer.h"

#include <algorithm>
#include <numbers>

#include "lavo/core/check.h"
#include "lavo/parts/feature_maps.h"
#include "lavo/parts/weight_rows.h"

namespace lavo {
namespace {

constexpr int64_t kCosformerChunk = 64;
constexpr double kSmallestNormaliser = 1e-6;

}  // namespace

void CosformerOptions::resolve(const Setting& setting) {
  const int64_t longest = std::max(setting.query_length, setting.key_length);
  if (!max_length && setting.longest > 0) max_length = setting.longest;
  if (!max_length && !setting.causal && longest > 0) max_length = longest;
}

Patterns Cosformer::patterns() const {
  if (options_.max_length) return {};
  const std::string reason =
      "it needs option 'max_length', the longest length reached: taken from the current length it "
      "would change past outputs";
  return {{"", reason, "", reason}};
}

int64_t Cosformer::max_length(const Inputs& in) const {
  return options_.max_length.value_or(std::max(in.query.size(2), in.key.size(2)));
}

std::unique_ptr<State> Cosformer::new_state() const {
  require<OptionError>(
      options_.max_length.has_value(),
      "cosformer: streaming needs option 'max_length', the longest length reached");
  return FeatureMechanism::new_state();
}

void Cosformer::check(const Inputs& in, const State* state) const {
  const int64_t longest =
      (state ? state->position : 0) + std::max(in.query.size(2), in.key.size(2));
  require<ShapeError>(longest <= max_length(in), "cosformer: {} tokens are more than max_length {}",
                      longest, max_length(in));
}

FeatureAttention Cosformer::attention(const Inputs& in, bool) {
  const int64_t longest = max_length(in);
  const auto phi = [longest](const FeatureTile& tile) {
    return cosine_features(tile.x_BHTD, tile.position, longest);
  };
  return {.features = feature_count(in.query.size(3)),
          .chunk = kCosformerChunk,
          .query = phi,
          .key = [phi](const FeatureTile& tile, const Tensor&) { return KeyFeatures{phi(tile)}; },
          .normaliser = {.smallest = kSmallestNormaliser}};
}

Tensor Cosformer::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  const Tensor t = torch::tensor(rows, torch::kFloat64).to(in.query.device()).unsqueeze(1);
  const double step = std::numbers::pi / 2 / static_cast<double>(max_length(in));
  const RowWeights weights = [&](const Tensor& query, const Tensor& key, int64_t first) {
    const Tensor j = torch::arange(first, first + key.size(2), t.options());
    return torch::matmul(query.clamp_min(0), key.clamp_min(0).transpose(2, 3)) *
           ((t - j) * step).cos();
  };
  return weighted_rows(in, rows, weights,
                       [](const Tensor& total) { return total.clamp_min(kSmallestNormaliser); });
}

Cost Cosformer::cost(const Shape& shape, Pattern pattern) const {
  return feature_cost(shape, pattern, kCosformerChunk, 3 * static_cast<double>(shape.D));
}

}  // namespace lavo
