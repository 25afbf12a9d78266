// SPDX-License-Identifier: MIT
// What all mixers of a model have in common, and the small parts that its switches put into them.
#pragma once

#include "experiments/models/position.h"

namespace lavo {

enum class Convolution { kNone, kShort };
enum class QkNorm { kNone, kL2, kRms };
enum class OutputGate { kNone, kSilu };
enum class OutputNorm { kNone, kRms };
inline const std::vector<std::string> kConvolutions = {"none", "short"};
inline const std::vector<std::string> kQkNorms = {"none", "l2", "rms"};
inline const std::vector<std::string> kOutputGates = {"none", "silu"};
inline const std::vector<std::string> kOutputNorms = {"none", "rms"};

/// Parts that any mixer may have beside its own; the defaults leave them out.
struct LayerSwitches {
  Convolution conv = Convolution::kNone;
  QkNorm qk_norm = QkNorm::kNone;
  OutputGate output_gate = OutputGate::kNone;
  OutputNorm output_norm = OutputNorm::kNone;

  void visit(OptionVisitor& v) {
    v.choice("conv", conv, kConvolutions, "short: causal, 4 tokens, of each column of q, k and v");
    v.choice("qk_norm", qk_norm, kQkNorms, "of queries and keys, a head; rms learns its weights");
    v.choice("output_gate", output_gate, kOutputGates, "silu(W x) times what the mixer gives");
    v.choice("output_norm", output_norm, kOutputNorms, "of what the mixer gives, a head");
  }
};

struct LayerOptions {
  int64_t width = 64;   ///< M; heads must divide it
  int64_t heads = 2;    ///< H; D = E = M / H
  int64_t length = 0;   ///< tokens expected at training, 0 = not known
  int64_t longest = 0;  ///< tokens of the longest sequence ever, 0 = not known
  bool causal = true;
  bool cross = false;  ///< keys and values are of another sequence, the memory
  PositionEncoding position = PositionEncoding::kNone;
  LayerSwitches switches = {};
};

/// float32 [sizes], uniform in +-1/sqrt(last size): what a layer's weights start from.
Tensor initial_weight(at::IntArrayRef sizes, at::Generator& generator);

constexpr int64_t kConvolutionWidth = 4;  ///< tokens

/// y_t = sum_i w_i x_{t - 3 + i}, i = 0 ... 3, each column C apart. x [B, T, C], weight [C, 4].
/// `before` [B, 3, C] are the tokens before x, zeros where undefined; it becomes the last three of
/// both. The same sums whatever the cutting.
Tensor short_convolution(const Tensor& x_BTC, const Tensor& weight, Tensor& before);

/// x / |x| over the last dimension; a row of zeros stays.
Tensor l2_norm(const Tensor& x);

/// weight x / sqrt(mean x^2 + 1e-6) over the last dimension.
/// Source: Zhang and Sennrich 2019, arXiv:1910.07467.
Tensor rms_norm(const Tensor& x, const Tensor& weight);

}  // namespace lavo
