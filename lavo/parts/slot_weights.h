// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "lavo/core/inputs.h"
#include "lavo/core/pieces.h"

namespace lavo {

inline constexpr int64_t kSlotChunk = 64;
/// A decay for each slot: inside a block of so many tokens pairs have their own exponents.
inline constexpr int64_t kSlotBlock = 16;

/// How much of what token j wrote into slot m is left at token r of the same chunk:
///
///   W_rjm = s_jm exp(sum_{j < i <= r} g_im), j <= r;  0 for j > r
///
/// slots s (B,H,N,C,M), C a multiple of kSlotBlock; log_decay g <= 0 the same, or undefined: 0. It
/// holds 16 M numbers a token.
class SlotWeights {
 public:
  SlotWeights(const Tensor& slots_BHNCM, const Tensor& log_decay_BHNCM);

  /// sum_j (q_r . k_j) W_rjm: (B,H,N,C,M).
  Tensor filled(const Tensor& query_BHNCD, const Tensor& key_BHNCD) const;
  /// sum_j (sum_m p_rm W_rjm) v_j: (B,H,N,C,E).
  Tensor read(const Tensor& p_BHNCM, const Tensor& value_BHNCE) const;

  /// W of the chunk's last token: (B,H,N,C,M).
  Tensor at_end() const;
  /// exp(sum_{i <= r} g_im): (B,H,N,C,M), what is left of the memory before the chunk. Undefined
  /// without decays.
  Tensor since_begin() const;

 private:
  /// Between a block and the tokens before it, by way of the block's first token.
  struct Bridge {
    Tensor far;   ///< what is left there of earlier tokens' shares, (B,H,N,first,M)
    Tensor near;  ///< what is left of that at each token of the block, (B,H,N,16,M)
  };

  Tensor slots_, log_decay_;
  Tensor inside_;                ///< W of each block, (B,H,N,C/16,r,j,M)
  std::vector<Bridge> bridges_;  ///< of all blocks but the first
};

}  // namespace lavo
