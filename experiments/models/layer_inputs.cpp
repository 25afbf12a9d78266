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
                       const LayerSizes& sizes) {
  switch (letter) {
    case 'H':
      return sizes.heads();
    case 'G':
      return sizes.key_heads;
    case 'D':
      return sizes.D;
    case 'E':
      return sizes.E;
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

}  // namespace

LayerInputs::LayerInputs(torch::nn::Module& owner, const Mechanism& mechanism, const json& options,
                         const LayerSizes& sizes, LayerKind kind, at::Generator& generator)
    : sizes_(sizes), kind_(kind) {
  const auto start = [&](const LayerRule::Start& rule, at::IntArrayRef shape) {
    return rule ? rule(shape, generator).to(torch::kFloat32) : torch::zeros(shape);
  };
  for (const InputSpec& spec : mechanism.inputs()) {
    Made made{.spec = spec};
    const LayerRule& rule = spec.layer;
    if (rule.kind == LayerRule::Kind::kProjected || rule.kind == LayerRule::Kind::kLearned) {
      for (const char letter : spec.letters) {
        if (is_token_letter(letter)) continue;
        made.sizes.push_back(size_of_letter(letter, spec, options, sizes));
      }
    }
    if (rule.kind == LayerRule::Kind::kProjected) {
      const int64_t n =
          std::accumulate(made.sizes.begin(), made.sizes.end(), int64_t{1}, std::multiplies<>());
      const int64_t M = sizes.M, rank = rule.rank;
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
      made.scale =
          owner.register_parameter(spec.name + "_scale", start(rule.scale, {sizes.heads()}));
    }
    if (kind == LayerKind::kOwn && rule.own_start) {
      made.own = owner.register_parameter(spec.name + "_own",
                                          start(rule.own_start, {sizes.heads(), sizes.D}));
    }
    all_.push_back(made);
  }
}

Tensor LayerInputs::raw(const Made& made, const Tensor& x, const Linear& linear) const {
  if (made.learned.defined()) return made.learned;
  const Tensor inner = made.down_weight.defined() ? linear(x, made.down_weight) : x;
  const Tensor y = to_compute(linear(inner, made.weight)) + made.bias;
  std::vector<int64_t> sizes = {y.size(0), y.size(1)};
  sizes.insert(sizes.end(), made.sizes.begin(), made.sizes.end());
  return in_order(y.reshape(sizes), made.spec.letters);
}

/// [G width, M] of all heads -> [H, M, width], a view where G = H.
Tensor LayerInputs::of_each_head(const Tensor& weight, int64_t head_width) const {
  const Tensor each = weight.view({-1, head_width, weight.size(1)}).transpose(1, 2);
  const int64_t copies = sizes_.heads() / each.size(0);
  return copies == 1 ? each : each.repeat_interleave(copies, 0);
}

void LayerInputs::set(Inputs& to, const MixerInput& in, const Tensor& key_weight,
                      const Tensor& value_weight, const Linear& linear,
                      const std::vector<Tensor>& x_of_each) const {
  const auto type = to.value.scalar_type();
  for (size_t i = 0; i < all_.size(); ++i) {
    const Made& made = all_[i];
    const LayerRule& rule = made.spec.layer;
    switch (rule.kind) {
      case LayerRule::Kind::kLayerInput:
        to.set(made.spec, in.keys().to(type));
        break;
      case LayerRule::Kind::kKeyWeight:
        to.set(made.spec, of_each_head(key_weight, sizes_.D).to(type));
        break;
      case LayerRule::Kind::kValueWeight:
        to.set(made.spec, of_each_head(value_weight, sizes_.E).to(type));
        break;
      case LayerRule::Kind::kDerived:
        to.set(made.spec, rule.join({}, to).to(type));
        break;
      default: {
        const bool of_queries = made.spec.letters.find('T') != std::string::npos;
        const Tensor& x = !x_of_each.empty() ? x_of_each[i] : of_queries ? in.x_BTM : in.keys();
        Tensor y = raw(made, x, linear);
        if (rule.squash) y = rule.squash(y, over_heads(made.scale, made.spec.letters));
        const Tensor joined = rule.join ? rule.join(y, to) : y;
        to.set(made.spec, joined.to(type));
        if (kind_ == LayerKind::kOwn && rule.own) {
          rule.own(y, over_heads(made.scale, made.spec.letters), made.own, to);
        }
      }
    }
  }
}

}  // namespace lavo
