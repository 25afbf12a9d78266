// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/mixer.h"

namespace lavo {

/// What a layer makes for its mechanism beside queries, keys and values: each input that the
/// mechanism declares, by the rule that it declares with it.
///
/// Learns, in the layer's module: of a projected input NAME_weight (n, M), n its numbers a token,
/// or NAME_weight (n, rank) after NAME_down_weight (rank, M), and NAME_bias (n); of a learned one
/// NAME; NAME_scale (H) where the rule has one; in the mechanism's own layer NAME_own (H, D) where it
/// has one. Weights start uniform in +-1/sqrt(last size).
class LayerInputs {
 public:
  /// x [B, T, M] and a weight [n, M] -> [B, T, n].
  using Linear = std::function<Tensor(const Tensor& x, const Tensor& weight)>;

  LayerInputs() = default;
  /// `options`: of the mechanism, resolved; counts (slots, levels) stand there.
  LayerInputs(torch::nn::Module& owner, const Mechanism& mechanism, const json& options,
              const LayerSizes& sizes, LayerKind kind, at::Generator& generator);

  /// How many there are, each of which may read tokens of its own (set).
  size_t count() const { return all_.size(); }

  /// Sets them in `to`, in the type of its values. key_weight (G D, M) and value_weight (G E, M) are
  /// the layer's own projections. `x_of_each`: what each reads in place of the layer's x; empty: x.
  void set(Inputs& to, const MixerInput& in, const Tensor& key_weight, const Tensor& value_weight,
           const Linear& linear, const std::vector<Tensor>& x_of_each = {}) const;

 private:
  struct Made {
    InputSpec spec;
    std::vector<int64_t> sizes = {};  ///< of its letters without B, T and S
    Tensor weight = {}, down_weight = {}, bias = {}, learned = {}, scale = {}, own = {};
  };
  Tensor raw(const Made& made, const Tensor& x, const Linear& linear) const;
  Tensor of_each_head(const Tensor& weight, int64_t head_width) const;

  LayerSizes sizes_ = {};
  LayerKind kind_ = LayerKind::kPlain;
  std::vector<Made> all_;
};

}  // namespace lavo
