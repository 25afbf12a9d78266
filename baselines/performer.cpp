// SPDX-License-Identifier: MIT
#include "baselines/performer.h"

#include <algorithm>
#include <cmath>

#include "baselines/performer_reference.h"
#include "lavo/core/check.h"
#include "lavo/core/pieces.h"
#include "lavo/parts/causal_sum.h"
#include "lavo/parts/feature_maps.h"

namespace lavo {
namespace {

constexpr int64_t kPerformerChunk = 128;

int64_t default_feature_count(int64_t width) {
  const double d = static_cast<double>(width);
  return std::max<int64_t>(1, static_cast<int64_t>(d * std::log(d)));
}

Tensor plus(const Tensor& phi, double epsilon) {
  if (epsilon == 0) return phi;
  return phi.requires_grad() ? phi + epsilon : Tensor(phi).add_(epsilon);
}

/// The features of one call.
class Features {
 public:
  Features(const Tensor& projection, double epsilon)
      : width_(static_cast<double>(projection.size(-1))),
        transposed_(to_compute(projection.detach()).transpose(-2, -1) * std::pow(width_, -0.25)),
        epsilon_(epsilon) {}

  Tensor u(const Tensor& x) const { return torch::matmul(x, transposed_); }
  Tensor g(const Tensor& x) const {
    return x.square().sum(3, /*keepdim=*/true) / (2 * std::sqrt(width_));
  }
  /// exp(u - lowered) + epsilon, in the place of u: no derivative needs u or the difference.
  Tensor exp(Tensor u, const Tensor& lowered) const {
    return plus(u.sub_(lowered).exp_(), epsilon_);
  }
  Tensor relu(const Tensor& x) const { return plus(u(x).relu_(), epsilon_); }

 private:
  double width_;
  Tensor transposed_;
  double epsilon_;
};

Tensor row_maximum(const Tensor& u) { return u.detach().amax(3, /*keepdim=*/true); }

/// `x` (B,H,T,1) of real keys, `other` at padded ones.
Tensor where_real(const Tensor& x, const Tensor& mask_BT, double other) {
  if (!mask_BT.defined()) return x;
  return x.masked_fill(mask_BT.logical_not().view({mask_BT.size(0), 1, -1, 1}), other);
}

/// The maximum over the features of all visible keys, (B,H,1,1): of u - g (prefix), of u
/// (sequence).
Tensor maximum_of_keys(const Features& features, const Inputs& in, Stabilizer stabilizer,
                       int64_t tile) {
  torch::NoGradGuard no_grad;
  Tensor highest;
  for (int64_t first = 0; first < in.key.size(2); first += tile) {
    const int64_t count = std::min(tile, in.key.size(2) - first);
    const Tensor x = to_compute(in.key.narrow(2, first, count));
    Tensor own = row_maximum(features.u(x));
    if (stabilizer == Stabilizer::kPrefix) own = own - features.g(x);
    const Tensor mask = in.key_mask.defined() ? in.key_mask.narrow(1, first, count) : Tensor();
    own = where_real(own, mask, kNoLevel).amax(2, /*keepdim=*/true);
    highest = highest.defined() ? torch::maximum(highest, own) : own;
  }
  return highest;
}

Tensor query_features(const Features& features, const Tensor& x, Stabilizer stabilizer) {
  const Tensor u = features.u(x), g = features.g(x), highest = row_maximum(u);
  const bool prefix = stabilizer == Stabilizer::kPrefix;
  return features.exp(u, g + (prefix ? highest - g.detach() : highest));
}

/// One stabilizer for all keys.
KeyFeatures key_features(const Features& features, const FeatureTile& tile, const Tensor& highest) {
  const Tensor lowered = features.g(tile.x_BHTD) + highest;
  return {features.exp(features.u(tile.x_BHTD), where_real(lowered, tile.mask_BT, 0))};
}

/// The running maximum of u - g, as the level of causal_sum; `reached` before this tile.
KeyFeatures running_key_features(const Features& features, const FeatureTile& tile,
                                 const Tensor& reached) {
  const Tensor u = features.u(tile.x_BHTD), g = features.g(tile.x_BHTD);
  const Tensor own = where_real(row_maximum(u) - g.detach(), tile.mask_BT, kNoLevel);
  const Tensor level = torch::maximum(std::get<0>(own.cummax(2)), reached.unsqueeze(3));
  return {features.exp(u, where_real(g + level, tile.mask_BT, 0)), level.squeeze(3)};
}

}  // namespace

Stabilizer PerformerOptions::stabilizer_for(bool causal_self) const {
  return stabilizer.value_or(causal_self ? Stabilizer::kPrefix : Stabilizer::kSequence);
}

double PerformerOptions::epsilon_for(Stabilizer chosen) const {
  if (epsilon) return *epsilon;
  if (features == PerformerFeatures::kRelu) return 1e-3;
  return chosen == Stabilizer::kSequence ? 1e-4 : 0;
}

void PerformerOptions::resolve(const Setting& setting) {
  if (!feature_count) feature_count = default_feature_count(setting.head_dim);
  stabilizer = stabilizer_for(setting.causal_self());
  epsilon = epsilon_for(*stabilizer);
}

bool Performer::has_levels(bool causal_self) const {
  return causal_self && options_.features == PerformerFeatures::kExp &&
         options_.stabilizer_for(causal_self) == Stabilizer::kPrefix;
}

Performer::Performer(const Options& options, const Setting& setting, at::Generator& generator)
    : options_(options) {
  if (!options_.feature_count) options_.feature_count = default_feature_count(setting.head_dim);
  projection_ = register_buffer("projection", draw(setting.heads, setting.head_dim, generator));
  redraw_seed_ = static_cast<uint64_t>(
      torch::randint(int64_t{1} << 53, {1}, generator, torch::kLong).item<int64_t>());
}

Tensor Performer::draw(int64_t heads, int64_t width, at::Generator& generator) const {
  const auto one = [&] {
    return orthogonal_gaussian_rows(*options_.feature_count, width, generator);
  };
  if (!options_.projection_per_head) return one();
  std::vector<Tensor> all;
  for (int64_t h = 0; h < heads; ++h) all.push_back(one());
  return torch::stack(all);
}

void Performer::count_training_forward() {
  if (!is_training() || options_.redraw_interval == 0) return;
  if (training_forwards_ > 0 && training_forwards_ % options_.redraw_interval == 0) {
    torch::NoGradGuard no_grad;
    const int64_t heads = projection_.dim() == 3 ? projection_.size(0) : 1;
    const int64_t redraws = training_forwards_ / options_.redraw_interval;
    // The low 32 bits, as seeded results of records have them; every bit of the seed is in them.
    auto generator =
        make_generator(static_cast<uint32_t>(redraw_seed_ + static_cast<uint64_t>(redraws)));
    const Tensor fresh = draw(heads, projection_.size(-1), generator);
    // New storage: a backward pass that is still to come works with the old one.
    projection_.set_data(fresh.to(projection_.options()));
  }
  ++training_forwards_;
}

std::unique_ptr<State> Performer::new_state() const {
  require<OptionError>(
      options_.features == PerformerFeatures::kRelu || options_.stabilizer != Stabilizer::kSequence,
      "performer: stabilizer 'sequence' has no streaming state: its maximum runs "
      "over keys that are still to come; 'prefix' has one");
  return FeatureMechanism::new_state();
}

FeatureAttention Performer::attention(const Inputs& in, bool streaming) {
  if (!streaming) count_training_forward();
  const bool causal = in.pattern() == Pattern::kCausalSelf;
  const bool relu = options_.features == PerformerFeatures::kRelu;
  const Stabilizer stabilizer = options_.stabilizer_for(causal);
  const int64_t M = projection_.size(-2);
  const Features features(projection_, options_.epsilon_for(stabilizer));
  // The factors M^(-1/2) of both features cancel, but for what is added to the sum of keys.
  const double added = options_.key_sum_epsilon * (relu ? 1 : std::sqrt(static_cast<double>(M)));
  FeatureAttention attention{.features = M,
                             .chunk = kPerformerChunk,
                             .has_levels = has_levels(causal),
                             .query =
                                 [=](const FeatureTile& tile) {
                                   return relu ? features.relu(tile.x_BHTD)
                                               : query_features(features, tile.x_BHTD, stabilizer);
                                 },
                             .key = {},
                             .normaliser = {.feature_epsilon = added}};
  if (relu) {
    attention.key = [features](const FeatureTile& tile, const Tensor&) {
      return KeyFeatures{features.relu(tile.x_BHTD)};
    };
  } else if (attention.has_levels) {
    attention.key = [features](const FeatureTile& tile, const Tensor& reached) {
      return running_key_features(features, tile, reached);
    };
  } else {
    const int64_t tile_length =
        feature_tile_length(in.shape(), M, kPerformerChunk, in.key.device());
    const Tensor highest = maximum_of_keys(features, in, stabilizer, tile_length);
    attention.key = [features, highest](const FeatureTile& tile, const Tensor&) {
      return key_features(features, tile, highest);
    };
  }
  return attention;
}

Tensor Performer::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  const Stabilizer stabilizer = options_.stabilizer_for(in.pattern() == Pattern::kCausalSelf);
  return performer_rows(in,
                        {.projection = projection_,
                         .relu = options_.features == PerformerFeatures::kRelu,
                         .stabilizer = stabilizer,
                         .epsilon = options_.epsilon_for(stabilizer),
                         .key_sum_epsilon = options_.key_sum_epsilon},
                        rows);
}

bool Performer::state_merges() const {
  return !has_levels(/*causal_self=*/true) || options_.epsilon_for(Stabilizer::kPrefix) == 0;
}

bool Performer::leaks_future() const {
  return options_.features == PerformerFeatures::kExp &&
         options_.stabilizer == Stabilizer::kSequence;
}

// The maximum that is taken out carries no gradient: it cancels where nothing is added beside it.
bool Performer::has_full_gradient() const {
  return options_.features == PerformerFeatures::kRelu ||
         (options_.epsilon.value_or(1) == 0 && options_.key_sum_epsilon == 0);
}

Cost Performer::cost(const Shape& shape, Pattern pattern) const {
  Cost cost = feature_cost(shape, pattern, kPerformerChunk,
                           2 * static_cast<double>(feature_count(shape.D) * (shape.D + 2)));
  if (has_levels(pattern == Pattern::kCausalSelf)) {
    cost.state_bytes += shape.compute_bytes() * static_cast<double>(shape.B * shape.H);
  }
  return cost;
}

}  // namespace lavo
