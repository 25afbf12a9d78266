// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

/// Stands for the level of no token at all: below every level that occurs, and still a number,
/// since differences of infinities are none.
inline constexpr double kNoLevel = -1e30;

/// What the tokens so far add up to: sum_j exp(level_j - level) phi(k_j) v_j^T.
struct CausalSum {
  Tensor sum_BHME;   ///< float64: calls of one token each would lose digits in float32
  Tensor level_BH1;  ///< undefined where keys have no levels
};

/// Sums over prefixes, weighted by features: the core of the causal linear attentions where they
/// are composed of LibTorch operators; fused it is lavo::attend_features.
///
///   out_t = sum_{j<=t} exp(level_j - level_t) (phi(q_t) . phi(k_j)) v_j
///
/// phi(q), phi(k) (B,H,T,M), v (B,H,T,E) -> (B,H,T,E). Levels (B,H,T) never fall and carry no
/// gradient; undefined = all 0. `carried` holds the tokens before, and gets these added.
///
/// T is a multiple of `chunk`, C tokens, or less than it. Inside a chunk the scores are taken
/// directly, between chunks through the sums: O(T (C (M + E) + M E)) time, all of it in matrix
/// products, and O(T (C + M E / C)) memory. Source: the chunked form of Hua et al. 2022,
/// arXiv:2202.10447, section 3.3; levels as in online softmax.
Tensor causal_sum(const Tensor& query_BHTM, const Tensor& key_BHTM, const Tensor& value_BHTE,
                  const Tensor& level_BHT, int64_t chunk, CausalSum& carried);

}  // namespace lavo
