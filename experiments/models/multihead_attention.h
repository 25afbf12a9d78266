// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/position.h"

namespace lavo {

struct AttentionOptions {
  int64_t width = 64;  ///< M; heads must divide it
  int64_t heads = 2;   ///< H; D = E = M / H
  int64_t length = 0;  ///< tokens expected at training, 0 = not known
  bool causal = true;
  PositionEncoding position = PositionEncoding::kNone;
  std::string mechanism = "vanilla";
  json mechanism_options = json::object();
};

/// Projections around a mechanism of the table.
///
///   q, k, v = x W_Q^T + b_Q, x W_K^T + b_K, x W_V^T + b_V, H heads each;  y = concat(heads) W_O^T
///   + b_O
///
/// Parameters: input_weight (3M, M) = W_Q, W_K, W_V one below the other, input_bias (3M),
/// output_weight (M, M), output_bias (M), mechanism.*. Weights start uniform in +-1/sqrt(M), biases
/// at 0; under rope b_Q and b_K start at 1: without a constant part of q and k their rotation says
/// nothing about position at the start (small models then hardly train). rope and alibi act here;
/// sinusoidal and learned positions are added to the embedding. Memory rows of LAVO's context
/// memory have no position: rope does not turn them.
class MultiheadAttention : public torch::nn::Module {
 public:
  MultiheadAttention(const AttentionOptions& options, at::Generator& generator);

  /// x [B, T, M] -> [B, T, M]. key_mask [B, T]: true = real. `state` makes x the next piece of a
  /// causal sequence.
  Tensor forward(const Tensor& x_BTM, const Tensor& key_mask = {}, State* state = nullptr);
  std::unique_ptr<State> new_state() const { return mechanism_->new_state(); }

 private:
  Inputs project(const Tensor& x_BTM, int64_t first_position);

  AttentionOptions options_;
  Rotary rotary_;
  Tensor input_weight_, input_bias_, output_weight_, output_bias_;
  std::shared_ptr<Mechanism> mechanism_;
};

/// float32 [sizes], uniform in +-1/sqrt(last size): what a layer's weights start from.
Tensor initial_weight(at::IntArrayRef sizes, at::Generator& generator);

}  // namespace lavo
