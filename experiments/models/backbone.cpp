// SPDX-License-Identifier: MIT
#include "experiments/models/backbone.h"

#include <algorithm>

#include "lavo/core/check.h"

namespace lavo {
namespace {

LayerOptions over_memory(LayerOptions layer) {
  layer.causal = false;
  layer.cross = true;
  return layer;
}

}  // namespace

struct Backbone::Block : torch::nn::Module {
  /// Weight and bias of a layer norm, NAME_weight and NAME_bias of `owner`.
  struct LayerNorm {
    LayerNorm(torch::nn::Module& owner, const std::string& name, int64_t width)
        : weight(owner.register_parameter(name + "_weight", torch::ones({width}))),
          bias(owner.register_parameter(name + "_bias", torch::zeros({width}))) {}
    Tensor operator()(const Tensor& x) const {
      return at::layer_norm(x, {x.size(-1)}, weight, bias);
    }
    Tensor weight, bias;
  };

  Block(const BackboneOptions& options, const MixerChoice& choice, at::Generator& generator)
      : mixer(register_module("attention", make_mixer(choice, options.layer, generator))),
        mixer_norm(*this, "attention_norm", options.layer.width),
        mlp_norm(*this, "mlp_norm", options.layer.width) {
    const int64_t M = options.layer.width;
    up_weight = register_parameter("up_weight", initial_weight({4 * M, M}, generator));
    up_bias = register_parameter("up_bias", torch::zeros({4 * M}));
    down_weight = register_parameter("down_weight", initial_weight({M, 4 * M}, generator));
    down_bias = register_parameter("down_bias", torch::zeros({M}));
    if (!options.cross) return;
    cross =
        register_module("cross", make_mixer(*options.cross, over_memory(options.layer), generator));
    cross_norm.emplace(*this, "cross_norm", M);
  }

  Tensor forward(const BackboneInput& in, const Tensor& x, State* state) const {
    Tensor y = x + mixer->forward({.x_BTM = mixer_norm(x), .key_mask = in.mask}, state);
    if (cross) {
      y = y + cross->forward({.x_BTM = (*cross_norm)(y),
                              .key_mask = in.memory_mask,
                              .memory_BSM = in.memory_BSM,
                              .query_mask = in.mask});
    }
    const Tensor wide = at::linear(mlp_norm(y), up_weight, up_bias);
    return y + at::linear(at::gelu(wide), down_weight, down_bias);
  }

  std::shared_ptr<Mixer> mixer, cross;
  LayerNorm mixer_norm, mlp_norm;
  std::optional<LayerNorm> cross_norm;
  Tensor up_weight, up_bias, down_weight, down_bias;
};

Backbone::Backbone(torch::nn::Module& owner, const BackboneOptions& options,
                   at::Generator& generator) {
  BackboneOptions own = options;
  own.layer.count = std::max<int64_t>(1, static_cast<int64_t>(options.mixers.size()));
  for (const MixerChoice& choice : options.mixers) {
    own.layer.index = static_cast<int64_t>(blocks_.size());
    const std::string name = fmt::format("layer{}", own.layer.index);
    blocks_.push_back(owner.register_module(name, std::make_shared<Block>(own, choice, generator)));
  }
  norm_weight_ = owner.register_parameter("norm_weight", torch::ones({options.layer.width}));
  norm_bias_ = owner.register_parameter("norm_bias", torch::zeros({options.layer.width}));
}

Tensor Backbone::forward(const BackboneInput& in, StreamState* state) const {
  Tensor x = in.x_BTM;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i]->forward(in, x, state ? state->blocks[i].get() : nullptr);
  }
  if (state) state->position += x.size(1);
  return at::layer_norm(x, {x.size(-1)}, norm_weight_, norm_bias_);
}

StreamState Backbone::new_state() const {
  require<OptionError>(blocks_.empty() || !blocks_.front()->cross,
                       "model: blocks over a memory have no streaming state");
  StreamState state;
  for (const auto& block : blocks_) state.blocks.push_back(block->mixer->new_state());
  return state;
}

}  // namespace lavo
