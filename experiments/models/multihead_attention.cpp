// SPDX-License-Identifier: MIT
#include "experiments/models/multihead_attention.h"

#include <c10/core/impl/LocalDispatchKeySet.h>

#include <cmath>

#include "baselines/table.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

/// The mechanism's state, and the last tokens before the convolution.
class AttentionState final : public State {
 public:
  explicit AttentionState(std::unique_ptr<State> of_mechanism)
      : mechanism(std::move(of_mechanism)) {}
  Named named() const override {
    Named all = mechanism->named();
    if (before.defined()) all.emplace_back("before", before);
    return all;
  }
  bool assign(const std::string& name, const Tensor& x) override {
    if (name != "before") return mechanism->assign(name, x);
    before = x;
    return true;
  }
  bool has_gradient(const std::string& name) const override {
    return name == "before" || mechanism->has_gradient(name);
  }
  int64_t token_dim(const std::string& name) const override { return mechanism->token_dim(name); }
  void detach() override {
    mechanism->detach();
    if (before.defined()) before = before.detach();
  }

  std::unique_ptr<State> mechanism;
  Tensor before;
};

}  // namespace

MultiheadAttention::MultiheadAttention(const MixerChoice& choice, const LayerOptions& options,
                                       at::Generator& generator)
    : options_(options), rotary_(options.heads > 0 ? options.width / options.heads : 0) {
  const int64_t M = options.width, H = options.heads;
  const LayerSwitches& switches = options.switches;
  require<OptionError>(H >= 1 && M % H == 0, "attention: width {} is no multiple of heads {}", M,
                       H);
  require<OptionError>(options.position != PositionEncoding::kRope || M / H % 2 == 0,
                       "attention: rope turns pairs: width / heads must be even, got {} / {}", M,
                       H);
  const Entry& entry = find_mechanism(choice.name);
  const std::string refusal = position_refusal(entry, options.position);
  require<OptionError>(refusal.empty(), "attention: {}", refusal);

  input_weight_ = register_parameter("input_weight", initial_weight({3 * M, M}, generator));
  Tensor bias = torch::zeros({3 * M});
  if (options.position == PositionEncoding::kRope) bias.narrow(0, 0, 2 * M).fill_(1);
  input_bias_ = register_parameter("input_bias", bias);
  output_weight_ = register_parameter("output_weight", initial_weight({M, M}, generator));
  output_bias_ = register_parameter("output_bias", torch::zeros({M}));
  if (switches.conv == Convolution::kShort) {
    convolution_ =
        register_parameter("convolution", initial_weight({3 * M, kConvolutionWidth}, generator));
  }
  if (switches.qk_norm == QkNorm::kRms) {
    query_norm_ = register_parameter("query_norm", torch::ones({M / H}));
    key_norm_ = register_parameter("key_norm", torch::ones({M / H}));
  }
  if (switches.output_norm == OutputNorm::kRms) {
    output_norm_ = register_parameter("output_norm", torch::ones({M / H}));
  }
  if (switches.output_gate == OutputGate::kSilu) {
    gate_weight_ = register_parameter("gate_weight", initial_weight({M, M}, generator));
  }

  const Setting setting{.heads = H,
                        .head_dim = M / H,
                        .value_dim = M / H,
                        .model_dim = M,
                        .query_length = options.length,
                        .key_length = options.length,
                        .longest = options.longest,
                        .causal = options.causal,
                        .cross = options.cross};
  // Drawn with 62 bits, of which 32 are used: seeded results of records depend on both.
  const auto seed = static_cast<uint32_t>(
      torch::randint(int64_t{1} << 62, {1}, generator, torch::kLong).item<int64_t>());
  const json resolved = entry.resolve(choice.options, setting);
  mechanism_ = entry.create(resolved, setting, seed);
  mechanism_->to(torch::kFloat32);
  register_module("mechanism", mechanism_);
  declared_ = LayerInputs(*this, *mechanism_, resolved, options, generator);
}

void MultiheadAttention::check(const MixerInput& in, bool streaming) const {
  require<ShapeError>(
      in.memory_BSM.defined() == options_.cross, "attention: a memory is {} by this mixer, got {}",
      options_.cross ? "wanted" : "not taken", in.memory_BSM.defined() ? "one" : "none");
  require<ShapeError>(!streaming || !options_.cross,
                      "attention: a cross mixer has no state, the memory is whole");
}

/// [B, T, rows] of the stacked projections.
Tensor MultiheadAttention::project(const Tensor& x, int64_t first_row, int64_t rows,
                                   const Tensor& mask, Tensor& before) const {
  const bool all = rows == input_weight_.size(0);
  const Tensor y = at::linear(x, all ? input_weight_ : input_weight_.narrow(0, first_row, rows),
                              all ? input_bias_ : input_bias_.narrow(0, first_row, rows));
  if (!convolution_.defined()) return y;
  // A padded token is to its neighbours what stands before the first one: zeros.
  return short_convolution(mask.defined() ? hide_rows(y, mask, 1) : y,
                           convolution_.narrow(0, first_row, rows), before);
}

Inputs MultiheadAttention::mechanism_inputs(const MixerInput& in, int64_t first_position,
                                            Tensor& before) {
  const int64_t M = options_.width, H = options_.heads;
  const bool rope = options_.position == PositionEncoding::kRope;
  const auto heads = [&](const Tensor& x_BTC, int64_t begin, int64_t count) {
    return x_BTC.unflatten(2, {x_BTC.size(2) / (M / H), M / H})
        .narrow(2, begin, count)
        .transpose(1, 2);
  };
  const auto normed = [&](const Tensor& x, const Tensor& weight) {
    if (options_.switches.qk_norm == QkNorm::kNone) return x;
    return weight.defined() ? rms_norm(x, weight) : l2_norm(x);
  };
  Inputs to;
  if (options_.cross) {
    Tensor of_queries, of_keys;
    const Tensor q = project(in.x_BTM, 0, M, in.query_mask, of_queries);
    const Tensor kv = project(in.memory_BSM, M, 2 * M, in.key_mask, of_keys);
    to.query = normed(heads(q, 0, H), query_norm_);
    to.key = normed(heads(kv, 0, H), key_norm_);
    to.value = heads(kv, H, H);
    if (rope) {
      to.query = rotary_.rotate(to.query, 0);
      to.key = rotary_.rotate(to.key, 0);
    }
  } else {
    const Tensor all = project(in.x_BTM, 0, 3 * M, in.key_mask, before);
    Tensor both = heads(all, 0, 2 * H);  // queries and keys
    if (options_.switches.qk_norm != QkNorm::kNone) {
      both = torch::cat(
          {normed(both.narrow(1, 0, H), query_norm_), normed(both.narrow(1, H, H), key_norm_)}, 1);
    }
    if (rope) both = rotary_.rotate(both, first_position);
    to.query = both.narrow(1, 0, H);
    to.key = both.narrow(1, H, H);
    to.value = heads(all, 2 * H, H);
  }
  if (mechanism_->unit_queries()) to.query = l2_norm(to.query);
  if (mechanism_->unit_keys()) to.key = l2_norm(to.key);
  to.causal = options_.causal;
  to.cross = options_.cross;
  to.key_mask = in.key_mask;
  declared_.set(to, in, input_weight_.narrow(0, M, M), input_weight_.narrow(0, 2 * M, M),
                [](const Tensor& x, const Tensor& weight) { return at::linear(x, weight); });
  if (options_.position == PositionEncoding::kAlibi) widen_for_alibi(to, first_position);
  return to;
}

Tensor MultiheadAttention::forward(const MixerInput& in, State* given) {
  check(in, given != nullptr);
  auto* state = dynamic_cast<AttentionState*>(given);
  require(!given || state, "attention: the state is of another mixer");
  Tensor none;
  const Inputs inputs =
      mechanism_inputs(in, state ? state->position : 0, state ? state->before : none);
  Tensor out;
  {
    // A mechanism chooses its own types: autocast would take its float32 sums back to bfloat16.
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    out = state ? mechanism_->forward(inputs, *state->mechanism) : mechanism_->forward(inputs);
  }
  if (state) {
    state->position += in.x_BTM.size(1);
    state->detach();
  }
  out = out.narrow(3, 0, options_.width / options_.heads).transpose(1, 2);
  if (output_norm_.defined()) out = rms_norm(out, output_norm_);
  out = out.flatten(2);
  if (gate_weight_.defined()) out = out * at::silu(at::linear(in.x_BTM, gate_weight_));
  return at::linear(out, output_weight_, output_bias_);
}

std::unique_ptr<State> MultiheadAttention::new_state() const {
  return std::make_unique<AttentionState>(mechanism_->new_state());
}

Cost MultiheadAttention::cost(int64_t batch, int64_t tokens, int64_t keys) const {
  const int64_t M = options_.width, D = M / options_.heads;
  const Pattern pattern = pattern_of(options_.causal, options_.cross);
  Cost cost = mechanism_->cost(
      {.B = batch, .H = options_.heads, .T = tokens, .S = keys, .D = D, .E = D}, pattern);
  const auto of_queries = static_cast<double>(batch * tokens);
  const auto of_keys = static_cast<double>(batch * keys);
  const double square = static_cast<double>(M * M), gate = gate_weight_.defined() ? 1 : 0;
  cost.flop += 2 * square * ((2 + gate) * of_queries + 2 * of_keys);
  if (convolution_.defined()) {
    cost.flop += 2 * kConvolutionWidth * static_cast<double>(M) * (of_queries + 2 * of_keys);
  }
  cost.memory_bytes += 4 * static_cast<double>(M) * ((2 + gate) * of_queries + 2 * of_keys);
  return cost;
}

}  // namespace lavo
