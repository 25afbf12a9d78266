// SPDX-License-Identifier: MIT
#include "lavo/lavo.h"

#include <algorithm>
#include <cmath>

#include "lavo/core/check.h"
#include "lavo/core/pieces.h"
#include "lavo/lavo_reference.h"
#include "lavo/lavo_state.h"
#include "lavo/parts/delta_mechanism.h"
#include "lavo/parts/in_place.h"

namespace lavo {
namespace {

constexpr int64_t kWidestAlignedWindow = 256;  // tiles of wider windows need not begin with one
constexpr double kSlotGateDivisor = 8;         // GSA's: gates near 1 at the start

/// (B, H or 1, S, X) of which the means are taken.
struct Sources {
  Tensor key;  ///< undefined where one memory serves as keys and values
  Tensor value;
};

Sources sources(const Inputs& in, MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kContext:
      return {{}, in["tokens"].unsqueeze(1)};
    case MemoryKind::kShared:
      return {{}, in.value};
    case MemoryKind::kKeyValue:
      return {in.key, in.value};
    default:
      fail("lavo: no such memory");
  }
}

Tensor project(const Tensor& x, const Tensor& bases_HRX) {
  return torch::matmul(to_compute(x), bases_HRX.transpose(-2, -1));
}

/// (B, H or 1, 1, R): the projected mean of all real tokens; zero where there is none.
Tensor whole_mean(const Tensor& x, const Tensor& mask_BS, const Tensor& bases_HRX) {
  const Tensor sum = x.sum({2}, /*keepdim=*/true, compute_type(x.scalar_type()));
  if (!mask_BS.defined()) return project(sum / static_cast<double>(x.size(2)), bases_HRX);
  const Tensor count = mask_BS.sum(1).clamp_min(1).to(sum.scalar_type()).view({-1, 1, 1, 1});
  return project(sum / count, bases_HRX);
}

/// How a sequence that begins at position `first` divides into tiles. Tensors are cut once by
/// split: the backward pass of narrow would write a gradient of the whole length for each tile.
std::vector<int64_t> tile_lengths(int64_t tokens, int64_t tile, int64_t first) {
  std::vector<int64_t> lengths;
  for (int64_t t = 0; t < tokens; t += lengths.back()) {
    lengths.push_back(std::min(tile - (first + t) % tile, tokens - t));
  }
  return lengths;
}

/// What memories with addresses take.
std::vector<InputSpec> address_inputs(const LavoOptions& options) {
  std::vector<InputSpec> inputs;
  if (options.slot_gate) {
    LayerRule rule;
    rule.squash = [](const Tensor& raw, const Tensor&) {
      return torch::log_sigmoid(raw) / kSlotGateDivisor;
    };
    inputs.push_back({.name = "slot_gate",
                      .letters = "BHSM",
                      .meaning = "natural logarithm of the decay of each row of the memory, <= 0",
                      .neutral = 0,
                      .draw = uniform(-0.5, 0),
                      .layer = rule,
                      .count_option = "bases",
                      .extremes = {-30, 0}});
  }
  if (options.write == MemoryWrite::kDelta) inputs.push_back(sigmoid_beta());
  return inputs;
}

/// The memory, tile by tile along the queries.
class GlobalPart {
 public:
  GlobalPart(const Inputs& in, const LavoBases& bases, MemoryKind kind,
             const std::vector<int64_t>& lengths, LavoState& carried, bool naive)
      : in_(in), rows_HRX_(bases.rows_HRX), carried_(carried), naive_(naive) {
    memory_.key_bases_HRD = bases.key_HRD;
    memory_.value_bases_HRD = bases.value_HRD;
    const Sources source = sources(in, kind);
    if (is_causal()) {
      values_ = source.value.split_with_sizes(lengths, 2);
      if (source.key.defined()) keys_ = source.key.split_with_sizes(lengths, 2);
      return;
    }
    memory_.value_mean_BHTR = whole_mean(source.value, in.key_mask, rows_HRX_);
    memory_.key_mean_BHTR = source.key.defined() ? whole_mean(source.key, in.key_mask, rows_HRX_)
                                                 : memory_.value_mean_BHTR;
  }

  /// Of the queries of the i-th tile, which begins at token t.
  Tensor tile(size_t i, int64_t t, const Tensor& query) {
    if (is_causal()) {
      memory_.value_mean_BHTR = means(carried_.value_mean, values_[i], t);
      memory_.key_mean_BHTR =
          keys_.empty() ? memory_.value_mean_BHTR : means(carried_.key_mean, keys_[i], t);
    }
    return naive_ ? naive_memory_attention(to_compute(query), memory_)
                  : memory_attention(to_compute(query), memory_);
  }

 private:
  bool is_causal() const { return in_.pattern() == Pattern::kCausalSelf; }
  Tensor means(RunningMean& running, const Tensor& x, int64_t t) const {
    const Tensor mask = in_.key_mask.defined() ? in_.key_mask.narrow(1, t, x.size(2)) : Tensor();
    return running.next(project(x, rows_HRX_), mask);
  }

  const Inputs& in_;
  Tensor rows_HRX_;
  std::vector<Tensor> values_, keys_;
  LavoState& carried_;
  bool naive_;
  Memory memory_;
};

}  // namespace

Tensor memory_attention(const Tensor& query, const Memory& memory) {
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(3)));
  Tensor weight = torch::matmul(query, (memory.key_bases_HRD * scale).transpose(-2, -1));
  weight = times(weight, memory.key_mean_BHTR).softmax(-1);
  return torch::matmul(times(weight, memory.value_mean_BHTR), memory.value_bases_HRD);
}

Tensor naive_memory_attention(const Tensor& query, const Memory& memory) {
  const Tensor keys = memory.key_mean_BHTR.unsqueeze(4) * memory.key_bases_HRD.unsqueeze(1);
  const Tensor values = memory.value_mean_BHTR.unsqueeze(4) * memory.value_bases_HRD.unsqueeze(1);
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(3)));
  const Tensor weight =
      torch::matmul(keys, query.unsqueeze(4)).squeeze(4).mul(scale).softmax(-1).unsqueeze(3);
  return torch::matmul(weight, values).squeeze(3);
}

Lavo::Lavo(Options options, const Setting& setting, at::Generator& generator)
    : options_(std::move(options)) {
  const bool context = options_.memory == MemoryKind::kContext;
  Tensor bases = make_bases(options_.bases_init, options_.bases,
                            context ? setting.model_dim : setting.head_dim, generator);
  bases_ = options_.bases_train == BasesTrain::kFixed ? register_buffer("bases", bases)
                                                      : register_parameter("bases", bases);
  if (options_.position == WindowPosition::kRelative) {
    relative_bias_ = register_parameter(
        "relative_bias",
        torch::zeros({setting.heads, windows(false).bias_length()}, torch::kFloat64));
  }
  if (options_.mix.is("learned")) {
    mix_logit_ = register_parameter("mix_logit", torch::zeros({setting.heads}, torch::kFloat64));
  }
  if (options_.has_addresses() && options_.temperature->is("learned")) {
    temperature_ = register_parameter(
        "temperature", torch::full({setting.heads}, options_.temperature->number, torch::kFloat64));
  }
}

std::unique_ptr<State> Lavo::new_state() const {
  return std::make_unique<LavoState>(options_.row_decays());
}

void Lavo::check(const Inputs& in, const State*) const {
  require<ShapeError>(in.value.size(3) == in.query.size(3),
                      "lavo: value width must equal query width, got {} and {}", in.value.size(3),
                      in.query.size(3));
  if (!options_.slot_gate) return;
  const Tensor gate = in["slot_gate"];
  require<ShapeError>(gate.size(3) == options_.bases,
                      "lavo: 'slot_gate' is {}: option 'bases' is {}", sizes_text(gate),
                      options_.bases);
}

std::vector<InputSpec> Lavo::inputs() const {
  if (options_.has_addresses()) return address_inputs(options_);
  if (options_.memory != MemoryKind::kContext) return {};
  using Kind = LayerRule::Kind;
  return {{.name = "tokens",
           .letters = "BSM",
           .meaning = "what memory 'context' projects: the layer's input",
           .draw = normal(),
           .layer = {.kind = Kind::kLayerInput}},
          {.name = "key_weight",
           .letters = "HMD",
           .meaning = "the layer's projection of keys",
           .draw = normal(),
           .layer = {.kind = Kind::kKeyWeight}},
          {.name = "value_weight",
           .letters = "HME",
           .meaning = "the layer's projection of values",
           .draw = normal(),
           .layer = {.kind = Kind::kValueWeight}}};
}

Patterns Lavo::patterns() const {
  const auto causal_only = [](const std::string& what) {
    const std::string reason = what + " needs causal self attention: all keys have no latest token";
    return Patterns{{reason, "", reason, reason}};
  };
  if (options_.has_decay()) return causal_only("option 'decay' other than 1");
  if (options_.slot_gate) return causal_only("option 'slot_gate'");
  if (options_.write == MemoryWrite::kDelta) return causal_only("option 'write' delta");
  return supported();
}

bool Lavo::has_local(const Inputs& in) const {
  return options_.dissect && !in.is_cross() && (mix_logit_.defined() || options_.mix.number > 0);
}

bool Lavo::has_global(const Inputs& in) const {
  return !options_.dissect || in.is_cross() || mix_logit_.defined() || options_.mix.number < 1;
}

LavoBases Lavo::bases(const Inputs& in) const {
  Tensor rows = options_.bases_train == BasesTrain::kOrthogonal ? orthonormal_blocks(bases_)
                                                                : to_compute(bases_);
  if (rows.dim() == 2) rows = rows.unsqueeze(0);
  LavoBases result{rows, rows, rows};
  if (options_.memory == MemoryKind::kContext) {
    result.key_HRD = torch::matmul(rows, to_compute(in["key_weight"]));
    result.value_HRD = torch::matmul(rows, to_compute(in["value_weight"]));
  }
  if (options_.global_scale == GlobalScale::kRows) {
    result.value_HRD = result.value_HRD * static_cast<double>(options_.bases);
  }
  return result;
}

AddressedMemory Lavo::addressed(const Inputs& in) const {
  const Tensor rows = bases(in).rows_HRX;
  const Tensor tau = temperature_.defined()
                         ? to_compute(temperature_).view({-1, 1, 1})
                         : torch::full({1, 1, 1}, options_.temperature->number, rows.options());
  const Tensor decays = options_.row_decays();
  return {.slots = options_.memory == MemoryKind::kSlots,
          .write = options_.write,
          .unit = options_.unit,
          .bases_HRD = rows,
          .temperature = tau,
          .row_log_decay = decays.defined() ? decays.log() : Tensor()};
}

Tensor Lavo::combine(const Tensor& global, const Tensor& local) const {
  if (!local.defined()) return global;
  if (!global.defined()) return local;
  if (mix_logit_.defined()) {
    const Tensor gate = to_compute(mix_logit_).sigmoid().view({1, -1, 1, 1});
    return plus(times(local, gate), times(global, 1 - gate));
  }
  const double mix = options_.mix.number;
  return plus(times(local, mix), times(global, 1 - mix));
}

int64_t Lavo::tile_tokens(const Shape& s, torch::Device device) const {
  // A tile's widest temporary stays in cache; the operators' own cost is spread over its tokens.
  const double token_bytes =
      4.0 * static_cast<double>(s.B * s.H) * static_cast<double>(std::max(options_.bases, s.D));
  const bool aligned = options_.dissect && options_.window <= kWidestAlignedWindow;
  return tile_length(token_bytes, aligned ? options_.window : 1, device);
}

Tensor Lavo::attend(const Inputs& in, State* state) {
  const bool local = has_local(in), global = has_global(in);
  const int64_t T = in.query.size(2);
  const int64_t first = state ? state->position : 0;
  LavoState own(options_.row_decays());
  LavoState& carried = state ? static_cast<LavoState&>(*state) : own;

  WindowKeys keys{in.key, in.value, in.key_mask};
  if (local && state) keys = stream_keys(carried.window, in, first);
  const Tensor bias = relative_bias_.defined() ? to_compute(relative_bias_) : Tensor();
  const bool naive = implementation() == Implementation::kNaive;
  const auto lengths =
      naive ? std::vector{T} : tile_lengths(T, tile_tokens(in.shape(), in.query.device()), first);
  const auto queries = in.query.split_with_sizes(lengths, 2);
  std::optional<GlobalPart> memory;
  std::vector<Tensor> read;
  if (global && options_.has_addresses()) {
    read = read_addressed(in, addressed(in), state ? carried.addressed.get() : nullptr)
               .split_with_sizes(lengths, 2);
  } else if (global) {
    memory.emplace(in, bases(in), *options_.memory, lengths, carried, naive);
  }
  const bool recompute = local && !naive && !state && torch::GradMode::is_enabled();
  std::vector<Tensor> local_parts;
  if (recompute) {
    local_parts = window_attention_tiles(in, bias, windows(in.causal)).split_with_sizes(lengths, 2);
  }

  Pieces outputs(T);
  int64_t t = 0;
  for (size_t i = 0; i < lengths.size(); t += lengths[i++]) {
    const Tensor global_part = !global  ? Tensor()
                               : memory ? memory->tile(i, t, queries[i])
                                        : read[i];
    const Tensor local_part =
        !local      ? Tensor()
        : recompute ? to_compute(local_parts[i])
                    : window_attention(queries[i], first + t, keys, bias, windows(in.causal));
    outputs.add(combine(global_part, local_part).to(in.query.scalar_type()));
  }
  if (state && local) carried.window.keep_last(windows(true).kept(first + T));
  return outputs.result();
}

std::optional<MemoryView> Lavo::inspect(const Inputs& in, int64_t row) {
  if (!has_global(in)) return {};
  torch::NoGradGuard no_grad;
  if (options_.has_addresses()) {
    const Inputs all = hide_padding(with_all_heads(in), inputs());
    return view_addressed(all, addressed(in), row);
  }
  const LavoBases b = bases(in);
  const Sources source = sources(in, *options_.memory);
  const bool causal = in.pattern() == Pattern::kCausalSelf;
  const auto mean = [&](const Tensor& x) {
    const int64_t seen = causal ? row + 1 : x.size(2);
    const Tensor mask = in.key_mask.defined() ? in.key_mask.narrow(1, 0, seen) : Tensor();
    RunningMean running(options_.row_decays());
    const Tensor visible =
        mask.defined() ? hide_rows(x.narrow(2, 0, seen), mask, 2) : x.narrow(2, 0, seen);
    return running.next(project(visible, b.rows_HRX), mask).narrow(2, seen - 1, 1);
  };
  const Tensor value_mean = mean(source.value);
  const Tensor key_mean = source.key.defined() ? mean(source.key) : value_mean;
  const auto rows = [](const Tensor& mean_BH1R, const Tensor& bases_HRD) {
    return mean_BH1R.transpose(2, 3) * bases_HRD.unsqueeze(0);
  };
  MemoryView view{rows(key_mean, b.key_HRD), rows(value_mean, b.value_HRD), {}};
  const Tensor query = to_compute(in.query.narrow(2, row, 1));
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(3)));
  view.weight_BHR =
      torch::matmul(query * scale, view.key_BHRD.transpose(2, 3)).softmax(-1).squeeze(2);
  return view;
}

Tensor Lavo::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  return lavo_reference_rows(in, options_, {bases_, relative_bias_, mix_logit_, temperature_},
                             rows);
}

int64_t Lavo::first_not_finite(int64_t t) const {
  return std::min(t / options_.window * options_.window, Mechanism::first_not_finite(t));
}

Cost Lavo::cost_with_addresses(const Shape& s, Pattern pattern, bool local, bool global) const {
  const double heads = static_cast<double>(s.B * s.H), tokens = heads * static_cast<double>(s.T);
  const double compute = s.compute_bytes(), D = static_cast<double>(s.D);
  Cost cost{.bytes = s.traffic_bytes(),
            .memory_bytes = s.output_bytes(),
            .backward_memory_bytes = s.output_bytes() + s.input_bytes()};
  if (global) {
    const bool delta = options_.write == MemoryWrite::kDelta;
    cost = addressed_cost(s, pattern,
                          {.slots = options_.memory == MemoryKind::kSlots,
                           .write = options_.write,
                           .bases = options_.bases,
                           .gates = (options_.slot_gate ? options_.bases : 0) + (delta ? 1 : 0),
                           .decays = options_.slot_gate || options_.has_decay()});
    // Read of the whole length at once, and cut.
    cost.memory_bytes += compute * tokens * D;
    cost.backward_memory_bytes += 2 * compute * tokens * D;
  }
  if (!local) return cost;
  const Windows windows{options_.window, options_.look_back, is_causal(pattern)};
  const double span = static_cast<double>(std::min(s.S, (windows.look_back + 1) * windows.window));
  const double tile = std::min(tokens, static_cast<double>(s.B * s.H * tile_tokens(s)));
  cost.flop += 4 * tokens * span * D;
  cost.memory_bytes += compute * tile * (2 * span + 3 * D);
  cost.backward_memory_bytes += compute * tokens * (3 * D + 3 * span);
  cost.state_bytes += 2 * heads * D * static_cast<double>(s.element_bytes * windows.kept(s.S));
  return cost;
}

Cost Lavo::cost(const Shape& s, Pattern pattern) const {
  const double heads = static_cast<double>(s.B * s.H), tokens = heads * static_cast<double>(s.T);
  const double R = static_cast<double>(options_.bases), D = static_cast<double>(s.D);
  const double compute = s.compute_bytes(), keys = static_cast<double>(s.B * s.S);
  const bool self = !is_cross(pattern), causal = is_causal(pattern),
             two = options_.memory == MemoryKind::kKeyValue;
  const bool context = options_.memory == MemoryKind::kContext, gated = mix_logit_.defined();
  const bool local = options_.dissect && self && (gated || options_.mix.number > 0);
  const bool global = !options_.dissect || !self || gated || options_.mix.number < 1;
  const Windows windows{options_.window, options_.look_back, causal};
  if (options_.has_addresses()) return cost_with_addresses(s, pattern, local, global);
  const double span =
      local ? static_cast<double>(std::min(s.S, (windows.look_back + 1) * windows.window)) : 0;
  const double projections = !global ? 0 : 2 + (causal && self && !context ? (two ? 2 : 1) : 0);

  Cost cost{.flop = tokens * (2 * projections * R * D + 4 * span * D), .bytes = s.traffic_bytes()};
  const double projected = global && context ? compute * keys * R : 0;
  const bool fused = implementation() == Implementation::kFused;
  if (implementation() == Implementation::kNaive) {
    // Rows of keys and of values; means and weights; the two parts and their sum.
    const double rows = global ? 2 * R * D : 0;
    cost.memory_bytes = s.output_bytes() + projected + compute * tokens * (rows + 3 * R + 3 * D);
    cost.backward_memory_bytes = 2 * cost.memory_bytes;
  } else if (!fused) {
    const double tile =
        std::min(tokens, static_cast<double>(s.B * s.H * tile_tokens(s))) * (4 * R + 3 * D);
    cost.memory_bytes = s.output_bytes() + projected + compute * tile;
    // Autograd keeps what every step made: projections, means, weights and parts.
    cost.backward_memory_bytes = s.output_bytes() + s.input_bytes() +
                                 compute * tokens * ((3 + projections) * R + 3 * D + 3 * span);
  } else {
    const double of_bases = bases_.requires_grad() ? 2 * compute * heads * R * D : 0;
    cost.memory_bytes = s.output_bytes() + projected;
    cost.backward_memory_bytes =
        s.output_bytes() + s.input_bytes() + 2 * projected + (global ? of_bases : 0);
  }
  if (global) {
    const double means = (two ? 2 : 1) * (context ? static_cast<double>(s.B) : heads) * R;
    const bool one_weight = !options_.has_decay() || (!fused && !options_.decay.is("multiscale"));
    cost.state_bytes = 8 * (means + static_cast<double>(s.B) * (one_weight ? 1 : R));
  }
  if (local) {
    cost.state_bytes += 2 * heads * D * static_cast<double>(s.element_bytes * windows.kept(s.S));
  }
  return cost;
}

}  // namespace lavo
