// SPDX-License-Identifier: MIT
// What all mixers of a model have in common, and the small parts that its switches put into them.
#pragma once

#include <algorithm>

#include "experiments/models/position.h"

namespace lavo {

enum class Convolution { kNone, kShort, kShortQk, kShift };
enum class Activation { kNone, kSilu, kSiluQk };
enum class QkNorm { kNone, kL2, kRms };
enum class OutputGate { kNone, kSilu, kSigmoid, kSelf, kLowRankSigmoid, kLowRank };
enum class OutputNorm { kNone, kRms, kLayer, kRmsAfter };
enum class Skip { kNone, kValue, kBonus };
inline const std::vector<std::string> kConvolutions = {"none", "short", "short_qk", "shift"};
inline const std::vector<std::string> kActivations = {"none", "silu", "silu_qk"};
inline const std::vector<std::string> kQkNorms = {"none", "l2", "rms"};
inline const std::vector<std::string> kOutputGates = {
    "none", "silu", "sigmoid", "self", "low_rank_sigmoid", "low_rank"};
inline const std::vector<std::string> kOutputNorms = {"none", "rms", "layer", "rms_after"};
inline const std::vector<std::string> kSkips = {"none", "value", "bonus"};

/// Parts that any mixer may have beside its own. What is unset is as the kind of the layer says
/// (layer_recipe.h).
struct LayerSwitches {
  std::optional<Convolution> conv = {};
  std::optional<Activation> activation = {};
  std::optional<QkNorm> qk_norm = {};
  std::optional<OutputGate> output_gate = {};
  std::optional<OutputNorm> output_norm = {};
  std::optional<Skip> skip = {};
  std::optional<double> expand_k = {}, expand_v = {};
  std::optional<int64_t> qk_heads = {}, kv_heads = {};

  void visit(OptionVisitor& v) {
    v.choice("conv", conv, kConvolutions,
             "short: causal, 4 tokens, of each column of q, k and v; short_qk: of q and k; shift: "
             "each reads a learned mean of its token and the one before");
    v.choice("activation", activation, kActivations,
             "of q, k and v after that; silu_qk: of q and k");
    v.choice("qk_norm", qk_norm, kQkNorms, "of queries and keys, a head; rms learns its weights");
    v.choice("output_gate", output_gate, kOutputGates,
             "times what the mixer gives y: silu(W x), sigmoid(W x), self: sigmoid(y), "
             "low_rank_sigmoid: sigmoid(U W x), low_rank: U sigmoid(W x)");
    v.choice("output_norm", output_norm, kOutputNorms,
             "of what the mixer gives, a head; layer: mean and variance; rms_after: of all heads "
             "together, after the gate");
    v.choice("skip", skip, kSkips,
             "added to what the mixer gives: value: D v, a learned D for each head; bonus: "
             "(q . r k) v after the norm, r learned for each channel");
    v.number("expand_k", expand_k, above(0), "width of a key head: expand_k width / heads");
    v.number("expand_v", expand_v, above(0), "width of a value head: expand_v width / heads");
    v.integer(
        "qk_heads", qk_heads, between(1, 1024),
        "of queries and keys, a divisor of heads, each with several value heads; unset: heads");
    v.integer("kv_heads", kv_heads, between(1, 1024),
              "of keys and values, a divisor of heads, each for several query heads; unset: heads");
  }
};

enum class LayerKind { kPlain, kOwn, kEqual };
inline const std::vector<std::string> kLayerKinds = {"plain", "own", "equal"};

struct LayerOptions {
  int64_t width = 64;   ///< M; heads must divide it
  int64_t heads = 2;    ///< H
  int64_t length = 0;   ///< tokens expected at training, 0 = not known
  int64_t longest = 0;  ///< tokens of the longest sequence ever, 0 = not known
  bool causal = true;
  bool cross = false;  ///< keys and values are of another sequence, the memory
  PositionEncoding position = PositionEncoding::kNone;
  LayerKind kind = LayerKind::kPlain;
  LayerSwitches switches = {};
  int64_t index = 0, count = 1;  ///< which layer of how many
};

/// The heads of a layer and their widths, switches filled.
struct LayerSizes {
  int64_t M, query_heads, key_heads, value_heads, D, E;

  int64_t heads() const { return std::max(query_heads, value_heads); }  ///< of the output
  int64_t qk_rows() const { return (query_heads + key_heads) * D; }
  int64_t query_rows() const { return query_heads * D; }
  int64_t rows() const { return qk_rows() + value_heads * E; }  ///< of W_Q, W_K and W_V
  int64_t output_width() const { return heads() * E; }
};

/// Throws OptionError, begun by "attention", where widths and heads do not go together.
LayerSizes sizes_of(int64_t width, int64_t heads, const LayerSwitches& filled);

/// float32 [sizes], uniform in +-1/sqrt(last size): what a layer's weights start from.
Tensor initial_weight(at::IntArrayRef sizes, at::Generator& generator);

constexpr int64_t kConvolutionWidth = 4;  ///< tokens

/// y_t = sum_i w_i x_{t - 3 + i}, i = 0 ... 3, each column C apart. x [B, T, C], weight [C, 4].
/// `before` [B, 3, C] are the tokens before x, zeros where undefined; it becomes the last three of
/// both. The same sums whatever the cutting.
Tensor short_convolution(const Tensor& x_BTC, const Tensor& weight, Tensor& before);

/// x_{t-1}; `before` [B, 1, C] is the token before x, zeros where undefined, and becomes its last.
Tensor one_token_before(const Tensor& x_BTC, Tensor& before);

/// x / |x| over the last dimension; a row of zeros stays.
Tensor l2_norm(const Tensor& x);

/// weight x / sqrt(mean x^2 + 1e-6) over the last dimension.
/// Source: Zhang and Sennrich 2019, arXiv:1910.07467.
Tensor rms_norm(const Tensor& x, const Tensor& weight);

}  // namespace lavo
