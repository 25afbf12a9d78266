// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/position.h"

namespace lavo {

enum class EmbeddingKind { kTokens, kLinear };

struct EmbeddingOptions {
  EmbeddingKind kind = EmbeddingKind::kTokens;
  int64_t inputs = 256;  ///< token kinds, or numbers a token
  int64_t width = 64;    ///< M
  PositionEncoding position = PositionEncoding::kNone;
  int64_t context = 512;  ///< rows of the table of learned positions
};

/// What stands at the bottom of a model: input -> [B, T, M].
///
///   tokens   [B, T] int64: row of embedding_weight (inputs, M), normal with deviation 0.5 (tied to
///            the output and small, it starves models of this size)
///   linear   [B, T, inputs]: x W^T + b, embedding_weight (M, inputs), embedding_bias (M)
///
/// sinusoidal and learned positions are added; of position_weight (context, M), drawn like the rows
/// of tokens, later positions repeat the last row. The other encodings act in the mixers.
///
/// A part of a model registers what it learns in the model's own module: a parameter is named for
/// what it is, whatever class holds it.
class Embedding {
 public:
  Embedding(torch::nn::Module& owner, const EmbeddingOptions& options, at::Generator& generator);
  Tensor forward(const Tensor& input, int64_t first_position) const;
  torch::Device device() const { return weight_.device(); }

 private:
  EmbeddingOptions options_;
  Tensor weight_, bias_, position_table_;
};

}  // namespace lavo
