// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/layer.h"

namespace lavo {

/// What stands between a mechanism and the projection of its outputs: skip, norm and gate.
///
/// Learns, in the layer's module: output_norm (E, or H E where it is of all heads; of `layer` H E,
/// and output_norm_bias), gate_weight (H E, M; or H E, E behind gate_down_weight (E, M), with
/// gate_bias where the sigmoid comes last), skip_scale (H, or H, D of the bonus). Norms and scales
/// start at 1, a bonus and biases at 0.
class LayerOutput {
 public:
  /// x and a weight [n, M] -> [B, T, n].
  using Linear = std::function<Tensor(const Tensor& x, const Tensor& weight)>;

  LayerOutput() = default;
  LayerOutput(torch::nn::Module& owner, const LayerSizes& sizes, const LayerSwitches& filled,
              at::Generator& generator);

  /// y [B, H, T, E] -> [B, T, H E]. `x_BTM` is what the gate reads, `in` what the mechanism got,
  /// `value` the layer's values before the mechanism's own rule changed them.
  Tensor operator()(const Tensor& y_BHTE, const Tensor& x_BTM, const Inputs& in,
                    const Tensor& value_BHTE) const;
  /// The same, written out, in float64.
  Tensor reference(const Tensor& y_BHTE, const Tensor& x_BTM, const Inputs& in,
                   const Tensor& value_BHTE, const Linear& products) const;

  double flop_per_token() const;

 private:
  bool gates_from_x() const { return gate_weight_.defined(); }

  LayerSizes sizes_ = {};
  LayerSwitches switches_;
  Tensor norm_, norm_bias_, gate_weight_, gate_down_weight_, gate_bias_, skip_scale_;
};

}  // namespace lavo
