// SPDX-License-Identifier: MIT
// Attention with a product of features in place of the softmax: what linear, performer and
// cosformer share.
#pragma once

#include <functional>

#include "lavo/core/mechanism.h"

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
///   o_t = output(s_t)
///
/// phi of a padded key is any number: its value and its one are zero.
struct FeatureAttention {
  int64_t features;         ///< M
  int64_t chunk;            ///< see causal_sum
  bool has_levels = false;  ///< in causal self attention
  std::function<Tensor(const FeatureTile&)> query;
  /// `reached` (B,H,1) is the level before this tile; undefined where there are no levels.
  std::function<KeyFeatures(const FeatureTile&, const Tensor& reached)> key;
  /// From the weighted sum of values (B,H,T,E), that of ones (B,H,T,1), and phi_q -> (B,H,T,E).
  std::function<Tensor(const Tensor& sum, const Tensor& count, const Tensor& phi)> output;
};

/// The sums so far (B,H,M,E+1), and the level (B,H,1) where there are levels.
struct FeatureState final : State {
  std::vector<Tensor> tensors() const override { return held; }
  std::vector<Tensor> held;
};

/// (B,H,T,E) in the type of the query. State O(M E); beyond the output and, in the backward pass,
/// the gradients, the memory of one tile.
Tensor attend(const FeatureAttention& attention, const Inputs& in, State* state);

/// How many tokens are worked on at a time.
int64_t feature_tile_length(const Shape& shape, int64_t features, int64_t chunk,
                            torch::Device device = torch::kCPU);

/// `feature_flop` is the cost of the features of one token of one head, query or key.
Cost feature_cost(const Shape& shape, bool causal, int64_t features, int64_t chunk,
                  double feature_flop);

}  // namespace lavo
