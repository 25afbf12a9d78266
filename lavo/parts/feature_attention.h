// SPDX-License-Identifier: MIT
// Attention with a product of features in place of the softmax: what linear, performer and
// cosformer share.
#pragma once

#include <functional>

#include "lavo/core/mechanism.h"
#include "lavo/core/pieces.h"
#include "lavo/operators/attend_features.h"

namespace lavo {

/// Tokens whose features are wanted.
struct FeatureTile {
  Tensor x_BHTD;     ///< in the compute type; padded keys are zero
  Tensor mask_BT;    ///< of keys: true = real; undefined = all real
  int64_t position;  ///< of the first token
};

struct KeyFeatures {
  Tensor phi_BHTM;
  Tensor level_BHT = {};  ///< with levels, see causal_sum: phi stands for exp(level) phi
};

/// One kind of attention by features. The functions are called again in the backward pass.
///
///   s_t = sum_j (phi_q(q_t) . phi_k(k_j)) [v_j, 1]     over all keys, or over j <= t
///   o_t = s_t[:E] / n_t, n_t by the normaliser from s_t[E] (lavo/operators/attend_features.h)
///
/// phi of a padded key is any number: its value and its one are zero.
struct FeatureAttention {
  int64_t features;         ///< M
  int64_t chunk;            ///< see causal_sum
  bool has_levels = false;  ///< in causal self attention
  std::function<Tensor(const FeatureTile&)> query;
  /// `reached` (B,H,1) is the level before this tile; undefined where there are no levels.
  std::function<KeyFeatures(const FeatureTile&, const Tensor& reached)> key;
  FeatureNormaliser normaliser;
};

/// The sums so far (B,H,M,E+1) in float64, and the level (B,H,1) where there are levels.
struct FeatureState final : State {
  Named named() const override;
  bool assign(const std::string& name, const Tensor& x) override;
  bool has_gradient(const std::string& name) const override { return name != "level"; }
  void merge(const State& next) override;
  void detach() override;
  std::vector<Tensor> held;
};

/// Linear, performer and cosformer. State O(M E); beyond the output and, in the backward pass, the
/// gradients, the memory of one tile. Causal self attention: where can_attend_features says yes,
/// the sums are those of the fused operator lavo::attend_features, the features composed.
class FeatureMechanism : public Mechanism {
 public:
  std::unique_ptr<State> new_state() const override { return std::make_unique<FeatureState>(); }
  bool state_merges() const override { return true; }
  std::string not_fused(const CallFacts& call) const override;
  /// The sums in front of all chunks of a tile, which may be the whole sequence, are one product.
  int64_t first_not_finite(int64_t) const override { return 0; }

 protected:
  /// M, for queries of this width.
  virtual int64_t feature_count(int64_t width) const = 0;
  /// Whether keys come with levels.
  virtual bool has_levels(bool /*causal_self*/) const { return false; }
  /// Called once for each forward, with padded keys that are zero.
  virtual FeatureAttention attention(const Inputs& in, bool streaming) = 0;
  Tensor attend(const Inputs& in, State* state) final;
  Tensor attend_fused(const Inputs& in, State* state) final;

  /// `chunk` is that of the composed form, `feature_flop` the cost of the features of one token of
  /// one head, query or key.
  Cost feature_cost(const Shape& shape, Pattern pattern, int64_t chunk, double feature_flop) const;
};

/// How many tokens are worked on at a time.
int64_t feature_tile_length(const Shape& shape, int64_t features, int64_t chunk,
                            torch::Device device = torch::kCPU);

}  // namespace lavo
