// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/layer_inputs.h"

namespace lavo {

struct RecallLayerSizes {
  int64_t input = 128;    ///< X, numbers a position
  int64_t head_dim = 64;  ///< D = E of the one head
  int64_t output = 64;    ///< numbers of an answer
  int64_t length = 128;   ///< T
};

/// What a mechanism of the table is told of a layer of these sizes.
Setting recall_setting(const RecallLayerSizes& sizes);

/// One head of a mechanism with its projections and nothing else: no residual, norm, convolution,
/// position or feed-forward, so that what is recalled went through the mechanism.
///
///   q, k, v = x W_Q^T, x W_K^T, x W_V^T      y = o W_O^T
///
/// Learns query_weight, key_weight, value_weight (D, X), output_weight (output, D), mechanism.*,
/// and what layer_inputs.h makes of x for the mechanism. Weights start uniform in
/// +-1/sqrt(last size). Queries and keys of a mechanism that wants them so have length 1. The scale
/// of recurrences (delta_mechanism.h), D^(-1/2), is taken back by the queries: what makes it harmless,
/// a norm of the output, is not here, and unit queries could not grow against it.
class RecallLayer final : public torch::nn::Module {
 public:
  /// `options`: of the mechanism, resolved.
  RecallLayer(const std::string& mechanism, const json& options, const RecallLayerSizes& sizes,
              at::Generator& generator);

  /// x [B, T, X] -> y [asked, output] at some of the B T positions.
  Tensor forward(const Tensor& x_BTX, const Tensor& asked);

  /// Of the mechanism's streaming state after one sequence [1, T, X]. Throws OptionError where it
  /// has none.
  int64_t state_bytes(const Tensor& x_BTX);

 private:
  Inputs mechanism_inputs(const Tensor& x_BTX) const;

  Tensor query_weight_, key_weight_, value_weight_, output_weight_;
  std::shared_ptr<Mechanism> mechanism_;
  double query_factor_ = 1;
  LayerInputs declared_;
};

}  // namespace lavo
