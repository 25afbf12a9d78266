// SPDX-License-Identifier: MIT
#include "experiments/models/multihead_attention.h"

#include <c10/core/impl/LocalDispatchKeySet.h>

#include <cmath>

#include "baselines/table.h"
#include "lavo/core/check.h"

namespace lavo {

Tensor initial_weight(at::IntArrayRef sizes, at::Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(sizes.back()));
  return torch::empty(sizes, torch::kFloat32).uniform_(-bound, bound, generator);
}

MultiheadAttention::MultiheadAttention(const AttentionOptions& options, at::Generator& generator)
    : options_(options), rotary_(options.heads > 0 ? options.width / options.heads : 0) {
  const int64_t M = options.width, H = options.heads;
  require<OptionError>(H >= 1 && M % H == 0, "attention: width {} is no multiple of heads {}", M,
                       H);
  require<OptionError>(options.position != PositionEncoding::kRope || M / H % 2 == 0,
                       "attention: rope turns pairs: width / heads must be even, got {} / {}", M,
                       H);
  const Entry& entry = find_mechanism(options.mechanism);
  const std::string refusal = position_refusal(entry, options.position);
  require<OptionError>(refusal.empty(), "attention: {}", refusal);

  input_weight_ = register_parameter("input_weight", initial_weight({3 * M, M}, generator));
  Tensor bias = torch::zeros({3 * M});
  if (options.position == PositionEncoding::kRope) bias.narrow(0, 0, 2 * M).fill_(1);
  input_bias_ = register_parameter("input_bias", bias);
  output_weight_ = register_parameter("output_weight", initial_weight({M, M}, generator));
  output_bias_ = register_parameter("output_bias", torch::zeros({M}));

  const Setting setting{.heads = H,
                        .head_dim = M / H,
                        .value_dim = M / H,
                        .model_dim = M,
                        .query_length = options.length,
                        .key_length = options.length,
                        .causal = options.causal};
  const auto seed = static_cast<uint64_t>(
      torch::randint(int64_t{1} << 62, {1}, generator, torch::kLong).item<int64_t>());
  mechanism_ = entry.create(options.mechanism_options, setting, seed);
  mechanism_->to(torch::kFloat32);
  register_module("mechanism", mechanism_);
}

Inputs MultiheadAttention::project(const Tensor& x, int64_t first_position) {
  const int64_t M = options_.width, H = options_.heads;
  const Tensor all = at::linear(x, input_weight_, input_bias_).unflatten(2, {3 * H, M / H});
  const auto heads = [&](int64_t begin, int64_t count) {
    return all.narrow(2, begin, count).transpose(1, 2);
  };
  Inputs in;
  if (options_.position == PositionEncoding::kRope) {
    const Tensor turned = rotary_.rotate(heads(0, 2 * H), first_position);
    in.query = turned.narrow(1, 0, H);
    in.key = turned.narrow(1, H, H);
  } else {
    in.query = heads(0, H);
    in.key = heads(H, H);
  }
  in.value = heads(2 * H, H);
  in.causal = options_.causal;
  const auto weight_HMD = [&](int64_t part) {
    return input_weight_.narrow(0, part * M, M)
        .view({H, M / H, M})
        .transpose(1, 2)
        .to(all.scalar_type());
  };
  for (const InputSpec& spec : mechanism_->inputs()) {
    using Kind = LayerRule::Kind;
    require<OptionError>(spec.layer.kind != Kind::kProjected && spec.layer.kind != Kind::kLearned,
                         "attention: this layer does not make '{}'", spec.name);
    in.set(spec, spec.layer.kind == Kind::kLayerInput  ? x.to(all.scalar_type())
                 : spec.layer.kind == Kind::kKeyWeight ? weight_HMD(1)
                                                       : weight_HMD(2));
  }
  if (options_.position == PositionEncoding::kAlibi) widen_for_alibi(in, first_position);
  return in;
}

Tensor MultiheadAttention::forward(const Tensor& x, const Tensor& key_mask, State* state) {
  Inputs in = project(x, state ? state->position : 0);
  in.key_mask = key_mask;
  Tensor out;
  {
    // A mechanism chooses its own types: autocast would take its float32 sums back to bfloat16.
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    out = state ? mechanism_->forward(in, *state) : mechanism_->forward(in);
  }
  out = out.narrow(3, 0, options_.width / options_.heads).transpose(1, 2).flatten(2);
  return at::linear(out, output_weight_, output_bias_);
}

}  // namespace lavo
