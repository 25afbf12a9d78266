// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/multihead_attention.h"

namespace lavo {

struct TransformerOptions {
  std::string mechanism = "vanilla";
  PositionEncoding position_encoding = PositionEncoding::kRope;
  int64_t vocabulary = 256;
  int64_t layers = 2;
  int64_t width = 64;
  int64_t heads = 2;
  int64_t context = 512;

  void visit(OptionVisitor& v) {
    v.text("mechanism", mechanism, "name in the table of mechanisms");
    v.choice("position_encoding", position_encoding, kPositionEncodings, "of the layers");
    v.integer("vocabulary", vocabulary, between(2, 65536), "token kinds");
    v.integer("layers", layers, between(1, 1024), "attention and feed-forward pairs");
    v.integer("width", width, between(1, 65536), "M, numbers a token between layers");
    v.integer("heads", heads, between(1, 1024), "H, a divisor of width");
    v.integer("context", context, between(1, 1 << 24), "tokens of a training sequence");
  }
};

/// What a stream carries from piece to piece: a state a layer, and the tokens seen.
struct TransformerState {
  std::vector<std::unique_ptr<State>> layers;
  int64_t position = 0;
};

/// Causal pre-norm transformer over tokens.
///
///   x_0 = embedding[token] (+ position);  x' = x + attention(norm(x));  x'' = x' + mlp(norm(x'))
///   logits = norm(x_last) W^T + b;        mlp(x) = W_2 gelu(W_1 x + b_1) + b_2, 4 M wide
///
/// Embedding and output weights are apart; the embedding starts normal with deviation 0.5 (tied and
/// small, it starves models of this size). `learned` positions have a table of `context` rows,
/// drawn like the embedding; later positions repeat the last row. Random numbers come from `seed`
/// alone.
class Transformer : public torch::nn::Module {
 public:
  Transformer(const TransformerOptions& options, const json& mechanism_options, uint64_t seed);

  /// tokens [B, T] int64 -> logits [B, T, vocabulary].
  Tensor forward(const Tensor& tokens_BT);
  /// The same for the next piece of a sequence.
  Tensor forward(const Tensor& tokens_BT, TransformerState& state);
  /// Throws OptionError where the mechanism has no streaming state.
  TransformerState new_state() const;

  const TransformerOptions& options() const { return options_; }
  torch::Device device() const { return embedding_.device(); }

 private:
  struct Layer;
  Tensor run(const Tensor& tokens_BT, TransformerState* state);
  Tensor embed(const Tensor& tokens_BT, int64_t first_position) const;

  TransformerOptions options_;
  Tensor embedding_, position_table_, norm_weight_, norm_bias_, head_weight_, head_bias_;
  std::vector<std::shared_ptr<Layer>> layers_;
};

int64_t parameter_count(const torch::nn::Module& module);

}  // namespace lavo
