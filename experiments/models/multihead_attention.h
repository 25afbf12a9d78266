// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/layer_inputs.h"
#include "experiments/models/layer_output.h"

namespace lavo {

/// Projections around a mechanism of the table.
///
///   q, k, v = x W_Q^T + b_Q, x W_K^T + b_K, x W_V^T + b_V
///   y = concat(heads) W_O^T + b_O
///
/// H heads of widths D = E = M / H, but for the switches expand_k, expand_v, qk_heads and kv_heads.
/// A cross mixer takes k and v from the memory. The other switches, in this order: token shift or
/// convolution of q, k and v; activation; norm of q and k, then their position; what layer_output.h
/// does to the mechanism's outputs.
///
/// Parameters: input_weight (rows, M) = W_Q, W_K, W_V one below the other, input_bias (rows),
/// output_weight (M, H E), output_bias (M), mechanism.*, and with the switches convolution (rows, 4),
/// shift (4 + declared inputs, M: of q, k, v, the gate and each input), query_norm and key_norm (D,
/// from 1), those of layer_output.h. Weights start uniform in +-1/sqrt(last size), biases at 0.
/// Queries and keys of a mechanism that wants them so have length 1. What else a mechanism declares
/// is made as layer_inputs.h says.
/// Under rope b_Q and b_K start at 1: without a constant part of q and k their rotation says
/// nothing about position at the start (small models then hardly train).
/// rope and alibi act here; sinusoidal and learned positions are added to the embedding. Memory
/// rows of LAVO's context memory have no position: rope does not turn them.
/// Source of shift: Peng et al. 2025, arXiv:2503.14456, section 3 and the first values of its code.
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
  void make_switches(at::Generator& generator);
  void check(const MixerInput& in, bool streaming) const;
  Tensor input_rows(const Tensor& x_BTM, int64_t first_row, int64_t rows) const;
  Tensor project(const Tensor& x_BTM, int64_t first_row, int64_t rows, const Tensor& mask,
                 Tensor& before) const;
  Tensor convolved(const Tensor& y_BTC, int64_t first_row, const Tensor& mask,
                   Tensor& before) const;
  Tensor activated(const Tensor& y_BTC, int64_t first_row) const;
  std::vector<Tensor> shifted(const MixerInput& in, Tensor& before) const;
  Tensor normed(const Tensor& x_BHTD, const Tensor& weight) const;
  Inputs self_inputs(const MixerInput& in, const std::vector<Tensor>& read, int64_t first_position,
                     Tensor& before);
  Inputs cross_inputs(const MixerInput& in);

  LayerOptions options_;
  LayerSizes sizes_;
  Rotary rotary_;
  Tensor input_weight_, input_bias_, output_weight_, output_bias_;
  Tensor convolution_, shift_, query_norm_, key_norm_;
  LayerOutput output_;
  std::shared_ptr<Mechanism> mechanism_;
  LayerInputs declared_;
};

}  // namespace lavo
