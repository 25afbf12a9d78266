// SPDX-License-Identifier: MIT
#include "experiments/models/model_axes.h"

#include <algorithm>

#include "baselines/table.h"
#include "experiments/models/layer_recipe.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

LayerSwitches switches_of_axes(const ModelAxes& a) {
  return filled(a.switches, a.layer, find_mechanism(a.mechanism), a.heads);
}

LayerSizes sizes_of(const ModelAxes& a) { return sizes_of(a.width, a.heads, switches_of_axes(a)); }

Setting setting_of(const ModelAxes& a, int64_t longest = 0) {
  const LayerSizes sizes = sizes_of(a);
  return {.heads = sizes.heads(),
          .head_dim = sizes.D,
          .value_dim = sizes.E,
          .model_dim = a.width,
          .query_length = a.context,
          .key_length = a.context,
          .longest = longest,
          .causal = true,
          .layers = a.layers};
}

}  // namespace

void ModelAxes::visit(OptionVisitor& v) {
  v.text("mechanism", mechanism, "name in the table of mechanisms");
  v.choice(
      "position_encoding", position_encoding, kPositionEncodings,
      "of the layers, beside the mechanism's own; unset: as the layer says, which is none where "
      "it has one, else rope");
  v.integer("layers", layers, between(1, 1024), "attention and feed-forward pairs");
  v.integer("width", width, between(1, 65536), "M, numbers a token between layers");
  v.integer("heads", heads, between(1, 1024), "H, a divisor of width");
  v.later([&] {
    v.choice("layer", layer, kLayerKinds,
             "what unset switches and position are: plain: none; own: of the mechanism's paper; "
             "equal: one good layer for all (list mechanisms)");
    switches.visit(v);
  });
  v.integer("context", context, between(1, 1 << 24), "tokens of a training sequence");
  v.integer("batch", batch, between(1, 65536), "sequences a forward pass");
  v.integer("accumulate", accumulate, between(1, 65536), "passes a step");
  v.integer("steps", steps, between(1, 1e9), "of the optimizer");
  v.integer("warmup", warmup, between(0, 1e9), "steps of rising learning rate");
  v.number("learning_rate", learning_rate, above(0), "its peak; a cosine takes it to 5 %");
  v.number("weight_decay", weight_decay, at_least(0), "of matrices, AdamW");
  v.number("clip", clip, at_least(0), "largest norm of the gradient; 0 = no limit");
  v.choice("dtype", dtype, {"float32", "bfloat16"},
           "of products (weights stay float32); unset: bfloat16 on CUDA, else float32");
  v.text("device", device, "cpu, cuda or cuda:i");
  v.integer("threads", threads, between(1, 4096), "of the CPU");
  v.integer("seed", seed, between(0, 1e15), "of weights and batches");
}

void fill_model_axes(const std::string& owner, ModelAxes& a) {
  require<OptionError>(a.width % a.heads == 0,
                       "{}: axis 'width' must be a multiple of heads, got {} and {}", owner,
                       a.width, a.heads);
  const Entry& mechanism = find_mechanism(a.mechanism);
  a.switches =
      recorded(filled(a.switches, a.layer, mechanism, a.heads), a.layer, mechanism, a.heads);
  if (!a.position_encoding) a.position_encoding = position_of(a.layer, mechanism);
  const int64_t D = sizes_of(a).D;
  require<OptionError>(a.position_encoding != PositionEncoding::kRope || D % 2 == 0,
                       "{}: axis 'position_encoding' rope needs key heads of an even width, got {} "
                       "of width {} and {} heads",
                       owner, D, a.width, a.heads);
  if (!a.dtype) {
    a.dtype = a.device == "cpu" ? TrainingType::kFloat32 : TrainingType::kBfloat16;
  }
}

json cell_axes(const json& own, const ModelAxes& a, const json& options, int64_t longest) {
  json result = find_mechanism(a.mechanism).resolve(options, setting_of(a, longest));
  result.update(own);
  for (auto it = result.begin(); it != result.end();) {
    it = it->is_null() ? result.erase(it) : std::next(it);
  }
  return result;
}

std::vector<int64_t> doubled(int64_t context, int64_t factor) {
  std::vector<int64_t> lengths;
  for (int64_t times = 1; times <= factor; times *= 2) lengths.push_back(context * times);
  return lengths;
}

std::shared_ptr<Mechanism> mechanism_of(const ModelAxes& a, const json& options) {
  return find_mechanism(a.mechanism).create(options, setting_of(a), 0);
}

std::string model_refusal(const ModelAxes& a, const json& options, const std::string& purpose) {
  const Entry& entry = find_mechanism(a.mechanism);
  const LayerSizes sizes = sizes_of(a);
  if (entry.facts.equal_widths && sizes.D != sizes.E) {
    return fmt::format("{} needs values as wide as keys, got {} and {}", a.mechanism, sizes.E,
                       sizes.D);
  }
  const std::string reason =
      mechanism_of(a, options)->patterns().refusal[static_cast<size_t>(Pattern::kCausalSelf)];
  if (reason.empty()) {
    return position_refusal(entry, *a.position_encoding);
  }
  return fmt::format("{} needs causal self attention, which {} refuses: {}", purpose, a.mechanism,
                     reason);
}

StateUse state_use_of(const ModelAxes& a, const json& options) {
  return {.mechanism = a.mechanism,
          .options = options,
          .setting = setting_of(a),
          .type = a.dtype == TrainingType::kBfloat16 ? torch::kBFloat16 : torch::kFloat32};
}

TransformerOptions model_of(const ModelAxes& a) {
  return {.mechanism = a.mechanism,
          .position_encoding = *a.position_encoding,
          .layers = a.layers,
          .width = a.width,
          .heads = a.heads,
          .context = a.context,
          .layer = a.layer,
          .switches = switches_of_axes(a)};
}

TrainingOptions training_of(const ModelAxes& a) {
  return {.steps = a.steps,
          .batch = a.batch,
          .accumulate = a.accumulate,
          .context = a.context,
          .warmup = a.warmup,
          .learning_rate = a.learning_rate,
          .optimizer = {.weight_decay = a.weight_decay, .clip = a.clip},
          .seed = static_cast<uint64_t>(a.seed),
          .autocast = a.dtype == TrainingType::kBfloat16};
}

Prediction predict_model(const ModelAxes& a, const json& options, int64_t outputs,
                         int64_t scored_tokens, const std::vector<int64_t>& lengths) {
  const double M = static_cast<double>(a.width), L = static_cast<double>(a.layers);
  const double V = static_cast<double>(outputs), scored = static_cast<double>(scored_tokens);
  const LayerSizes sizes = sizes_of(a);
  const double rows = static_cast<double>(sizes.rows() + sizes.output_width());
  const double weights = L * (8 * M * M + rows * M) + V * M;
  const auto mechanism = mechanism_of(a, options);
  const auto attention = [&](int64_t batch, int64_t length) {
    const Shape shape{
        .B = batch, .H = sizes.heads(), .T = length, .S = length, .D = sizes.D, .E = sizes.E};
    return mechanism->cost(shape, Pattern::kCausalSelf);
  };
  const double step_tokens = static_cast<double>(a.batch * a.accumulate * a.context);
  const double step_flop = 3 * (2 * weights * step_tokens + L * static_cast<double>(a.accumulate) *
                                                                attention(a.batch, a.context).flop);
  double test_flop = 0;
  for (const int64_t length : lengths) {
    const double windows = scored / static_cast<double>(length);
    test_flop += 2 * weights * scored + windows * L * attention(1, length).flop;
  }
  // Reached by small models on a thread with 512-bit vectors.
  const double rate = a.device == "cpu" ? 5e10 * static_cast<double>(a.threads) : 5e13;
  const double overhead_s = a.device == "cpu" ? 2e-3 : 5e-3;
  const double numbers = 4 * step_tokens / static_cast<double>(a.accumulate) * (L * 24 * M + 4 * V);
  const int64_t longest = lengths.back();
  const double test_numbers =
      4 * std::max<double>(4096, static_cast<double>(longest)) * (12 * M + 3 * V);
  return {.seconds = (step_flop * static_cast<double>(a.steps) + test_flop) / rate +
                     overhead_s * static_cast<double>(a.steps),
          .call_seconds = step_flop / rate + overhead_s,
          .memory_bytes =
              16 * weights + std::max(numbers + 3 * L * attention(a.batch, a.context).memory_bytes,
                                      test_numbers + attention(1, longest).memory_bytes)};
}

}  // namespace lavo
