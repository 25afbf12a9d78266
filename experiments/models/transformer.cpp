// SPDX-License-Identifier: MIT
#include "experiments/models/transformer.h"

namespace lavo {
namespace {

constexpr double kEmbeddingDeviation = 0.5;

Tensor normal_table(int64_t rows, int64_t width, at::Generator& generator) {
  return torch::randn({rows, width}, generator, torch::kFloat32).mul_(kEmbeddingDeviation);
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return at::layer_norm(x, {x.size(-1)}, weight, bias);
}

AttentionOptions attention_options(const TransformerOptions& o, const json& mechanism_options) {
  return {.width = o.width,
          .heads = o.heads,
          .length = o.context,
          .causal = true,
          .position = o.position_encoding,
          .mechanism = o.mechanism,
          .mechanism_options = mechanism_options};
}

}  // namespace

struct Transformer::Layer : torch::nn::Module {
  Layer(const AttentionOptions& options, at::Generator& generator) {
    const int64_t M = options.width;
    attention =
        register_module("attention", std::make_shared<MultiheadAttention>(options, generator));
    attention_norm_weight = register_parameter("attention_norm_weight", torch::ones({M}));
    attention_norm_bias = register_parameter("attention_norm_bias", torch::zeros({M}));
    mlp_norm_weight = register_parameter("mlp_norm_weight", torch::ones({M}));
    mlp_norm_bias = register_parameter("mlp_norm_bias", torch::zeros({M}));
    up_weight = register_parameter("up_weight", initial_weight({4 * M, M}, generator));
    up_bias = register_parameter("up_bias", torch::zeros({4 * M}));
    down_weight = register_parameter("down_weight", initial_weight({M, 4 * M}, generator));
    down_bias = register_parameter("down_bias", torch::zeros({M}));
  }

  Tensor forward(const Tensor& x, State* state) {
    const Tensor y = x + attention->forward(
                             layer_norm(x, attention_norm_weight, attention_norm_bias), {}, state);
    const Tensor wide =
        at::linear(layer_norm(y, mlp_norm_weight, mlp_norm_bias), up_weight, up_bias);
    return y + at::linear(at::gelu(wide), down_weight, down_bias);
  }

  std::shared_ptr<MultiheadAttention> attention;
  Tensor attention_norm_weight, attention_norm_bias, mlp_norm_weight, mlp_norm_bias;
  Tensor up_weight, up_bias, down_weight, down_bias;
};

Transformer::Transformer(const TransformerOptions& options, const json& mechanism_options,
                         uint64_t seed)
    : options_(options) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  const int64_t M = options.width;
  embedding_ =
      register_parameter("embedding_weight", normal_table(options.vocabulary, M, generator));
  if (options.position_encoding == PositionEncoding::kLearned) {
    position_table_ =
        register_parameter("position_weight", normal_table(options.context, M, generator));
  }
  for (int64_t i = 0; i < options.layers; ++i) {
    layers_.push_back(
        std::make_shared<Layer>(attention_options(options, mechanism_options), generator));
    register_module(fmt::format("layer{}", i), layers_.back());
  }
  norm_weight_ = register_parameter("norm_weight", torch::ones({M}));
  norm_bias_ = register_parameter("norm_bias", torch::zeros({M}));
  head_weight_ =
      register_parameter("head_weight", initial_weight({options.vocabulary, M}, generator));
  head_bias_ = register_parameter("head_bias", torch::zeros({options.vocabulary}));
}

Tensor Transformer::embed(const Tensor& tokens, int64_t first_position) const {
  const Tensor x = at::embedding(embedding_, tokens);
  const int64_t T = tokens.size(1);
  if (options_.position_encoding == PositionEncoding::kSinusoidal) {
    return x + sinusoids(first_position, T, options_.width, x.device()).to(x.options());
  }
  if (options_.position_encoding == PositionEncoding::kLearned) {
    const Tensor row = torch::arange(first_position, first_position + T, tokens.options())
                           .clamp_max_(options_.context - 1);
    return x + at::embedding(position_table_, row);
  }
  return x;
}

Tensor Transformer::run(const Tensor& tokens, TransformerState* state) {
  Tensor x = embed(tokens, state ? state->position : 0);
  for (size_t i = 0; i < layers_.size(); ++i) {
    x = layers_[i]->forward(x, state ? state->layers[i].get() : nullptr);
  }
  if (state) state->position += tokens.size(1);
  return at::linear(layer_norm(x, norm_weight_, norm_bias_), head_weight_, head_bias_);
}

Tensor Transformer::forward(const Tensor& tokens) { return run(tokens, nullptr); }

Tensor Transformer::forward(const Tensor& tokens, TransformerState& state) {
  return run(tokens, &state);
}

TransformerState Transformer::new_state() const {
  TransformerState state;
  for (const auto& layer : layers_) state.layers.push_back(layer->attention->new_state());
  return state;
}

int64_t parameter_count(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

}  // namespace lavo
