// SPDX-License-Identifier: MIT
#include "experiments/models/layer_inputs.h"

#include <functional>
#include <numeric>

#include "lavo/core/check.h"

namespace lavo {
namespace {

bool is_token_letter(char letter) { return letter == 'B' || letter == 'T' || letter == 'S'; }

/// How many numbers a dimension of a layer's input has.
int64_t size_of_letter(char letter, const InputSpec& spec, const json& options,
                       const LayerOptions& layer, int64_t head_dim) {
  switch (letter) {
    case 'H':
    case 'G':
      return layer.heads;
    case 'D':
    case 'E':
      return head_dim;
    default:
      require<OptionError>(options.contains(spec.count_option),
                           "attention: no option says how many {} input '{}' has", letter,
                           spec.name);
      return options.at(spec.count_option).get<int64_t>();
  }
}

/// [B, T, sizes...] in the order of the letters: the heads stand before the tokens.
Tensor in_order(const Tensor& x, const std::string& letters) {
  std::vector<int64_t> order;
  int64_t next = 2;
  for (const char letter : letters) {
    order.push_back(letter == 'B' ? 0 : is_token_letter(letter) ? 1 : next++);
  }
  return x.permute(order);
}

/// A number a head, so that it broadcasts over an input of these letters.
Tensor over_heads(const Tensor& scale_H, const std::string& letters) {
  if (!scale_H.defined()) return scale_H;
  std::vector<int64_t> sizes;
  for (const char letter : letters) sizes.push_back(letter == 'H' ? -1 : 1);
  return scale_H.view(sizes);
}

/// [H D, M] of all heads -> [H, M, D], a view.
Tensor of_each_head(const Tensor& weight, int64_t heads) {
  return weight.view({heads, weight.size(0) / heads, weight.size(1)}).transpose(1, 2);
}

}  // namespace

LayerInputs::LayerInputs(torch::nn::Module& owner, const Mechanism& mechanism, const json& options,
                         const LayerOptions& layer, at::Generator& generator, int64_t head_dim)
    : heads_(layer.heads) {
  const auto start = [&](const LayerRule::Start& rule, at::IntArrayRef sizes) {
    return rule ? rule(sizes, generator).to(torch::kFloat32) : torch::zeros(sizes);
  };
  for (const InputSpec& spec : mechanism.inputs()) {
    Made made{.spec = spec};
    const LayerRule& rule = spec.layer;
    if (rule.kind == LayerRule::Kind::kProjected || rule.kind == LayerRule::Kind::kLearned) {
      for (const char letter : spec.letters) {
        if (is_token_letter(letter)) continue;
        made.sizes.push_back(size_of_letter(letter, spec, options, layer,
                                            head_dim > 0 ? head_dim : layer.width / layer.heads));
      }
    }
    if (rule.kind == LayerRule::Kind::kProjected) {
      const int64_t n =
          std::accumulate(made.sizes.begin(), made.sizes.end(), int64_t{1}, std::multiplies<>());
      const int64_t M = layer.width, rank = rule.rank;
      if (rank > 0) {
        made.down_weight = owner.register_parameter(spec.name + "_down_weight",
                                                    initial_weight({rank, M}, generator));
      }
      made.weight = owner.register_parameter(spec.name + "_weight",
                                             initial_weight({n, rank > 0 ? rank : M}, generator));
      made.bias =
          owner.register_parameter(spec.name + "_bias", start(rule.start, made.sizes).view({n}));
    } else if (rule.kind == LayerRule::Kind::kLearned) {
      made.learned = owner.register_parameter(spec.name, start(rule.start, made.sizes));
    }
    if (rule.scale) {
      made.scale = owner.register_parameter(spec.name + "_scale", start(rule.scale, {heads_}));
    }
    all_.push_back(made);
  }
}

Tensor LayerInputs::raw(const Made& made, const MixerInput& in, const Linear& linear) const {
  const std::string& letters = made.spec.letters;
  if (made.learned.defined()) return made.learned;
  const Tensor& x = letters.find('T') != std::string::npos ? in.x_BTM : in.keys();
  const Tensor inner = made.down_weight.defined() ? linear(x, made.down_weight) : x;
  const Tensor y = to_compute(linear(inner, made.weight)) + made.bias;
  std::vector<int64_t> sizes = {y.size(0), y.size(1)};
  sizes.insert(sizes.end(), made.sizes.begin(), made.sizes.end());
  return in_order(y.reshape(sizes), letters);
}

void LayerInputs::set(Inputs& to, const MixerInput& in, const Tensor& key_weight,
                      const Tensor& value_weight, const Linear& linear) const {
  const auto type = to.value.scalar_type();
  for (const Made& made : all_) {
    const LayerRule& rule = made.spec.layer;
    switch (rule.kind) {
      case LayerRule::Kind::kLayerInput:
        to.set(made.spec, in.keys().to(type));
        break;
      case LayerRule::Kind::kKeyWeight:
        to.set(made.spec, of_each_head(key_weight, heads_).to(type));
        break;
      case LayerRule::Kind::kValueWeight:
        to.set(made.spec, of_each_head(value_weight, heads_).to(type));
        break;
      case LayerRule::Kind::kDerived:
        to.set(made.spec, rule.join({}, to).to(type));
        break;
      default: {
        Tensor x = raw(made, in, linear);
        if (rule.squash) x = rule.squash(x, over_heads(made.scale, made.spec.letters));
        if (rule.join) x = rule.join(x, to);
        to.set(made.spec, x.to(type));
      }
    }
  }
}

}  // namespace lavo
