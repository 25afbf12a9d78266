// SPDX-License-Identifier: MIT
#include "experiments/models/embedding.h"

#include "experiments/models/layer.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr double kEmbeddingDeviation = 0.5;

Tensor normal_table(int64_t rows, int64_t width, at::Generator& generator) {
  return torch::randn({rows, width}, generator, torch::kFloat32).mul_(kEmbeddingDeviation);
}

}  // namespace

Embedding::Embedding(torch::nn::Module& owner, const EmbeddingOptions& options,
                     at::Generator& generator)
    : options_(options) {
  const int64_t M = options.width;
  if (options.kind == EmbeddingKind::kTokens) {
    weight_ =
        owner.register_parameter("embedding_weight", normal_table(options.inputs, M, generator));
  } else {
    weight_ = owner.register_parameter("embedding_weight",
                                       initial_weight({M, options.inputs}, generator));
    bias_ = owner.register_parameter("embedding_bias", torch::zeros({M}));
  }
  if (options.position == PositionEncoding::kLearned) {
    position_table_ =
        owner.register_parameter("position_weight", normal_table(options.context, M, generator));
  }
}

Tensor Embedding::forward(const Tensor& input, int64_t first_position) const {
  const bool tokens = options_.kind == EmbeddingKind::kTokens;
  require<ShapeError>(input.dim() == (tokens ? 2 : 3), "model: input must be [batch, tokens{}]",
                      tokens ? "" : ", numbers");
  const Tensor x = tokens ? at::embedding(weight_, input) : at::linear(input, weight_, bias_);
  const int64_t T = input.size(1);
  if (options_.position == PositionEncoding::kSinusoidal) {
    return x + sinusoids(first_position, T, options_.width, x.device()).to(x.options());
  }
  if (options_.position == PositionEncoding::kLearned) {
    const Tensor row = torch::arange(first_position, first_position + T,
                                     torch::TensorOptions(torch::kLong).device(x.device()))
                           .clamp_max_(options_.context - 1);
    return x + at::embedding(position_table_, row);
  }
  return x;
}

}  // namespace lavo
