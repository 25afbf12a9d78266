// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/mixer.h"

namespace lavo {

/// What a layer makes for its mechanism beside queries, keys and values: each input that the
/// mechanism declares, by the rule that it declares with it.
///
/// Learns, in the layer's module: of a projected input NAME_weight (n, M), n its numbers a token,
/// or NAME_weight (n, rank) after NAME_down_weight (rank, M), and NAME_bias (n); of a learned one
/// NAME; NAME_scale (H) where the rule has one. Weights start uniform in +-1/sqrt(last size).
class LayerInputs {
 public:
  /// x [B, T, M] and a weight [n, M] -> [B, T, n].
  using Linear = std::function<Tensor(const Tensor& x, const Tensor& weight)>;

  LayerInputs() = default;
  /// `options`: of the mechanism, resolved; counts (slots, levels) stand there. `head_dim`: D = E, 0
  /// for width / heads.
  LayerInputs(torch::nn::Module& owner, const Mechanism& mechanism, const json& options,
              const LayerOptions& layer, at::Generator& generator, int64_t head_dim = 0);

  /// Sets them in `to`, in the type of its values. key_weight and value_weight (H D, M) are the
  /// layer's own projections.
  void set(Inputs& to, const MixerInput& in, const Tensor& key_weight, const Tensor& value_weight,
           const Linear& linear) const;

 private:
  struct Made {
    InputSpec spec;
    std::vector<int64_t> sizes = {};  ///< of its letters without B, T and S
    Tensor weight = {}, down_weight = {}, bias = {}, learned = {}, scale = {};
  };
  Tensor raw(const Made& made, const MixerInput& in, const Linear& linear) const;

  int64_t heads_ = 1;
  std::vector<Made> all_;
};

}  // namespace lavo
