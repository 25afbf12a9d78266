// SPDX-License-Identifier: MIT
#include "experiments/models/multihead_attention.h"

#include <c10/core/impl/LocalDispatchKeySet.h>

#include <cmath>

#include "baselines/table.h"
#include "experiments/models/layer_recipe.h"
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

/// Parts of the tokens that a layer with a shift reads, in the rows of its parameter.
enum Read { kReadQuery, kReadKey, kReadValue, kReadGate, kReadDeclared };

/// The share of the token before in each column, which rises to the first column and falls with
/// the layer's index.
Tensor first_shift(double exponent, int64_t width, const LayerOptions& options) {
  const double left = 1 - static_cast<double>(options.index) / static_cast<double>(options.count);
  return 1 - (torch::arange(width) / static_cast<double>(width)).pow(exponent * left);
}

LayerSwitches switches_of_layer(const MixerChoice& choice, const LayerOptions& options) {
  return filled(options.switches, options.kind, find_mechanism(choice.name), options.heads);
}

}  // namespace

MultiheadAttention::MultiheadAttention(const MixerChoice& choice, const LayerOptions& options,
                                       at::Generator& generator)
    : options_(options),
      sizes_(sizes_of(options.width, options.heads, switches_of_layer(choice, options))),
      rotary_(sizes_.D) {
  options_.switches = switches_of_layer(choice, options);
  const int64_t M = sizes_.M, H = options.heads;
  const bool rope = options.position == PositionEncoding::kRope;
  require<OptionError>(!rope || sizes_.D % 2 == 0,
                       "attention: rope turns pairs: the width of a key head must be even, got {}",
                       sizes_.D);
  const Entry& entry = find_mechanism(choice.name);
  const std::string refusal = position_refusal(entry, options.position);
  require<OptionError>(refusal.empty(), "attention: {}", refusal);
  require<OptionError>(!entry.facts.equal_widths || sizes_.D == sizes_.E,
                       "attention: {} needs values as wide as keys, got {} and {}", choice.name,
                       sizes_.E, sizes_.D);

  input_weight_ = register_parameter("input_weight", initial_weight({sizes_.rows(), M}, generator));
  Tensor bias = torch::zeros({sizes_.rows()});
  if (rope) bias.narrow(0, 0, sizes_.qk_rows()).fill_(1);
  input_bias_ = register_parameter("input_bias", bias);
  output_weight_ =
      register_parameter("output_weight", initial_weight({M, sizes_.output_width()}, generator));
  output_bias_ = register_parameter("output_bias", torch::zeros({M}));
  make_switches(generator);

  const Setting setting{.heads = H,
                        .head_dim = sizes_.D,
                        .value_dim = sizes_.E,
                        .model_dim = M,
                        .query_length = options.length,
                        .key_length = options.length,
                        .longest = options.longest,
                        .causal = options.causal,
                        .cross = options.cross,
                        .layer = options.index,
                        .layers = options.count};
  // Drawn with 62 bits, of which 32 are used: seeded results of records depend on both.
  const auto seed = static_cast<uint32_t>(
      torch::randint(int64_t{1} << 62, {1}, generator, torch::kLong).item<int64_t>());
  const json resolved = entry.resolve(choice.options, setting);
  mechanism_ = entry.create(resolved, setting, seed);
  mechanism_->to(torch::kFloat32);
  register_module("mechanism", mechanism_);
  declared_ = LayerInputs(*this, *mechanism_, resolved, sizes_, options.kind, generator);
  if (options_.switches.conv != Convolution::kShift) return;
  Tensor shift = torch::empty({kReadDeclared + static_cast<int64_t>(declared_.count()), M});
  for (int64_t i = 0; i < shift.size(0); ++i) {
    const double exponent = i == kReadQuery || i == kReadGate ? 0.2 : i < kReadGate ? 0.7 : 0.9;
    shift.select(0, i).copy_(first_shift(exponent, M, options_));
  }
  shift_ = register_parameter("shift", shift);
}

/// Registers what the switches learn, but for the shift, which is one of each declared input too.
void MultiheadAttention::make_switches(at::Generator& generator) {
  const LayerSwitches& switches = options_.switches;
  require<OptionError>(!options_.cross || switches.conv != Convolution::kShift,
                       "attention: conv shift is of self attention");
  require<OptionError>(!options_.cross || switches.skip == Skip::kNone,
                       "attention: skip is of self attention: a query has no value of its own");
  require<OptionError>(switches.skip != Skip::kBonus || (*switches.qk_heads == options_.heads &&
                                                         *switches.kv_heads == options_.heads),
                       "attention: skip bonus needs as many queries, keys and values as heads");
  if (switches.conv == Convolution::kShort || switches.conv == Convolution::kShortQk) {
    const int64_t rows = switches.conv == Convolution::kShort ? sizes_.rows() : sizes_.qk_rows();
    convolution_ =
        register_parameter("convolution", initial_weight({rows, kConvolutionWidth}, generator));
  }
  if (switches.qk_norm == QkNorm::kRms) {
    query_norm_ = register_parameter("query_norm", torch::ones({sizes_.D}));
    key_norm_ = register_parameter("key_norm", torch::ones({sizes_.D}));
  }
  output_ = LayerOutput(*this, sizes_, switches, generator);
}

void MultiheadAttention::check(const MixerInput& in, bool streaming) const {
  require<ShapeError>(
      in.memory_BSM.defined() == options_.cross, "attention: a memory is {} by this mixer, got {}",
      options_.cross ? "wanted" : "not taken", in.memory_BSM.defined() ? "one" : "none");
  require<ShapeError>(!streaming || !options_.cross,
                      "attention: a cross mixer has no state, the memory is whole");
}

/// [B, T, rows] of the stacked projections.
Tensor MultiheadAttention::input_rows(const Tensor& x, int64_t first_row, int64_t rows) const {
  const bool all = rows == input_weight_.size(0);
  return at::linear(x, all ? input_weight_ : input_weight_.narrow(0, first_row, rows),
                    all ? input_bias_ : input_bias_.narrow(0, first_row, rows));
}

Tensor MultiheadAttention::project(const Tensor& x, int64_t first_row, int64_t rows,
                                   const Tensor& mask, Tensor& before) const {
  const Tensor y = input_rows(x, first_row, rows);
  return activated(convolution_.defined() ? convolved(y, first_row, mask, before) : y, first_row);
}

Tensor MultiheadAttention::convolved(const Tensor& y, int64_t first_row, const Tensor& mask,
                                     Tensor& before) const {
  const int64_t rows = std::min(y.size(2), convolution_.size(0) - first_row);
  // A padded token is to its neighbours what stands before the first one: zeros.
  const Tensor real = mask.defined() ? hide_rows(y, mask, 1) : y;
  const Tensor weight = convolution_.narrow(0, first_row, rows);
  if (rows == y.size(2)) return short_convolution(real, weight, before);
  const Tensor first = short_convolution(real.narrow(2, 0, rows), weight, before);
  return torch::cat({first, y.narrow(2, rows, y.size(2) - rows)}, 2);
}

Tensor MultiheadAttention::activated(const Tensor& y, int64_t first_row) const {
  switch (*options_.switches.activation) {
    case Activation::kNone:
      return y;
    case Activation::kSilu:
      return at::silu(y);
    case Activation::kSiluQk:
      break;
  }
  const int64_t rows = std::clamp<int64_t>(sizes_.qk_rows() - first_row, 0, y.size(2));
  return torch::cat({at::silu(y.narrow(2, 0, rows)), y.narrow(2, rows, y.size(2) - rows)}, 2);
}

/// What each part reads: x, and with a shift a mean of each token and the one before it.
std::vector<Tensor> MultiheadAttention::shifted(const MixerInput& in, Tensor& before) const {
  if (!shift_.defined()) return {};
  const Tensor& x = in.x_BTM;
  const Tensor real = in.key_mask.defined() ? hide_rows(x, in.key_mask, 1) : x;
  const Tensor back = one_token_before(real, before) - x;
  std::vector<Tensor> read;
  for (const Tensor& share : shift_.to(x.scalar_type()).unbind(0)) read.push_back(x + share * back);
  return read;
}

Tensor MultiheadAttention::normed(const Tensor& x, const Tensor& weight) const {
  if (options_.switches.qk_norm == QkNorm::kNone) return x;
  return weight.defined() ? rms_norm(x, weight) : l2_norm(x);
}

Inputs MultiheadAttention::self_inputs(const MixerInput& in, const std::vector<Tensor>& read,
                                       int64_t first_position, Tensor& before) {
  const int64_t Q = sizes_.query_heads, K = sizes_.key_heads, D = sizes_.D, E = sizes_.E;
  const int64_t qk_rows = sizes_.qk_rows(), v_rows = sizes_.rows() - qk_rows;
  Tensor all;
  if (read.empty()) {
    all = project(in.x_BTM, 0, sizes_.rows(), in.key_mask, before);
  } else {
    const int64_t q_rows = sizes_.query_rows();
    all = torch::cat({input_rows(read[kReadQuery], 0, q_rows),
                      input_rows(read[kReadKey], q_rows, qk_rows - q_rows),
                      input_rows(read[kReadValue], qk_rows, v_rows)},
                     2);
    all = activated(all, 0);
  }
  Tensor both = all.narrow(2, 0, qk_rows).unflatten(2, {Q + K, D}).transpose(1, 2);
  if (options_.switches.qk_norm != QkNorm::kNone) {
    both = torch::cat(
        {normed(both.narrow(1, 0, Q), query_norm_), normed(both.narrow(1, Q, K), key_norm_)}, 1);
  }
  if (options_.position == PositionEncoding::kRope) both = rotary_.rotate(both, first_position);
  Inputs to;
  to.query = both.narrow(1, 0, Q);
  to.key = both.narrow(1, Q, K);
  to.value = all.narrow(2, qk_rows, v_rows).unflatten(2, {-1, E}).transpose(1, 2);
  return to;
}

Inputs MultiheadAttention::cross_inputs(const MixerInput& in) {
  const int64_t q_rows = sizes_.query_rows(), k_rows = sizes_.qk_rows() - q_rows;
  const auto heads = [](const Tensor& x_BTC, int64_t width) {
    return x_BTC.unflatten(2, {-1, width}).transpose(1, 2);
  };
  Tensor of_queries, of_keys;
  const Tensor q = project(in.x_BTM, 0, q_rows, in.query_mask, of_queries);
  const Tensor kv = project(in.memory_BSM, q_rows, sizes_.rows() - q_rows, in.key_mask, of_keys);
  Inputs to;
  to.query = heads(q, sizes_.D);
  to.key = heads(kv.narrow(2, 0, k_rows), sizes_.D);
  to.value = heads(kv.narrow(2, k_rows, kv.size(2) - k_rows), sizes_.E);
  to.query = normed(to.query, query_norm_);
  to.key = normed(to.key, key_norm_);
  if (options_.position == PositionEncoding::kRope) {
    to.query = rotary_.rotate(to.query, 0);
    to.key = rotary_.rotate(to.key, 0);
  }
  to.cross = true;
  return to;
}

Tensor MultiheadAttention::forward(const MixerInput& in, State* given) {
  check(in, given != nullptr);
  auto* state = dynamic_cast<AttentionState*>(given);
  require(!given || state, "attention: the state is of another mixer");
  const int64_t position = state ? state->position : 0;
  Tensor none;
  Tensor& before = state ? state->before : none;
  const std::vector<Tensor> read = shifted(in, before);
  Inputs to = options_.cross ? cross_inputs(in) : self_inputs(in, read, position, before);
  if (mechanism_->unit_queries()) to.query = l2_norm(to.query);
  if (mechanism_->unit_keys()) to.key = l2_norm(to.key);
  to.causal = options_.causal;
  to.key_mask = in.key_mask;
  const Tensor value = to.value;
  const int64_t qk_rows = sizes_.qk_rows(), q_rows = sizes_.query_rows();
  const bool shifts = !read.empty();
  declared_.set(
      to, in, input_weight_.narrow(0, q_rows, qk_rows - q_rows),
      input_weight_.narrow(0, qk_rows, sizes_.rows() - qk_rows),
      [](const Tensor& x, const Tensor& weight) { return at::linear(x, weight); },
      shifts ? std::vector(read.begin() + kReadDeclared, read.end()) : std::vector<Tensor>());
  Inputs inputs = to;
  if (options_.position == PositionEncoding::kAlibi) widen_for_alibi(inputs, position);
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
  out = output_(out.narrow(3, 0, sizes_.E), shifts ? read[kReadGate] : in.x_BTM, to, value);
  return at::linear(out, output_weight_, output_bias_);
}

std::unique_ptr<State> MultiheadAttention::new_state() const {
  return std::make_unique<AttentionState>(mechanism_->new_state());
}

Cost MultiheadAttention::cost(int64_t batch, int64_t tokens, int64_t keys) const {
  const Pattern pattern = pattern_of(options_.causal, options_.cross);
  Cost cost = mechanism_->cost(
      {.B = batch, .H = sizes_.heads(), .T = tokens, .S = keys, .D = sizes_.D, .E = sizes_.E},
      pattern);
  const auto of_queries = static_cast<double>(batch * tokens);
  const auto of_keys = static_cast<double>(batch * keys);
  const auto M = static_cast<double>(sizes_.M);
  const auto q_rows = static_cast<double>(sizes_.query_rows());
  const auto kv_rows = static_cast<double>(sizes_.rows()) - q_rows;
  const auto out_width = static_cast<double>(sizes_.output_width());
  const double gate_flop = output_.flop_per_token();
  cost.flop += 2 * M * (q_rows * of_queries + kv_rows * of_keys + out_width * of_queries) +
               gate_flop * of_queries;
  if (convolution_.defined()) {
    cost.flop += 2 * kConvolutionWidth * (q_rows * of_queries + kv_rows * of_keys);
  }
  cost.memory_bytes +=
      4 * ((q_rows + (gate_flop > 0 ? 2 : 1) * out_width) * of_queries + kv_rows * of_keys);
  return cost;
}

}  // namespace lavo
