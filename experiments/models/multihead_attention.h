// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/layer_inputs.h"

namespace lavo {

/// Projections around a mechanism of the table.
///
///   q, k, v = x W_Q^T + b_Q, x W_K^T + b_K, x W_V^T + b_V, H heads each
///   y = concat(heads) W_O^T + b_O
///
/// A cross mixer takes k and v from the memory. The layer's switches, in this order: convolution of
/// q, k and v; norm of q and k, then their position; norm of each head's output; gate
/// silu(x W_G^T).
///
/// Parameters: input_weight (3M, M) = W_Q, W_K, W_V one below the other, input_bias (3M),
/// output_weight (M, M), output_bias (M), mechanism.*, and with the switches convolution (3M, 4),
/// query_norm, key_norm and output_norm (M / H, from 1), gate_weight (M, M). Weights start uniform
/// in +-1/sqrt(last size), biases at 0. Queries and keys of a mechanism that wants them so have
/// length 1. What else a mechanism declares is made as layer_inputs.h says.
/// Under rope b_Q and b_K start at 1: without a constant part of q and k their rotation says
/// nothing about position at the start (small models then hardly train).
/// rope and alibi act here; sinusoidal and learned positions are added to the embedding. Memory
/// rows of LAVO's context memory have no position: rope does not turn them.
class MultiheadAttention final : public Mixer {
 public:
  MultiheadAttention(const MixerChoice& choice, const LayerOptions& options,
                     at::Generator& generator);

  using Mixer::forward;
  Tensor forward(const MixerInput& in, State* state) override;
  Tensor reference(const MixerInput& in) override;
  std::unique_ptr<State> new_state() const override;
  Cost cost(int64_t batch, int64_t tokens, int64_t keys) const override;

 private:
  void check(const MixerInput& in, bool streaming) const;
  Tensor project(const Tensor& x_BTM, int64_t first_row, int64_t rows, const Tensor& mask,
                 Tensor& before) const;
  Inputs mechanism_inputs(const MixerInput& in, int64_t first_position, Tensor& before);

  LayerOptions options_;
  Rotary rotary_;
  Tensor input_weight_, input_bias_, output_weight_, output_bias_;
  Tensor convolution_, query_norm_, key_norm_, output_norm_, gate_weight_;
  std::shared_ptr<Mechanism> mechanism_;
  LayerInputs declared_;
};

}  // namespace lavo
