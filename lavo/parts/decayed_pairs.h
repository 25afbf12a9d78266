// SPDX-License-Identifier: MIT
// What recurrences in chunks are made of: products of tokens with earlier ones, each pair with the
// decay between the two.
//
// Decays between two tokens are exponentials of sums over what lies between them, added up anew for
// each pair. Differences of sums from the start would lose what cancels: decays are strong. No
// exponent is ever positive, and what is masked is masked before the exponential.
#pragma once

#include "lavo/core/inputs.h"

namespace lavo {

inline constexpr int64_t kChunk = 64;  ///< tokens
/// A decay for each channel: inside a block of so many tokens pairs have their own exponents.
inline constexpr int64_t kPairBlock = 16;

/// The tokens of x (B,H,T,X) in chunks, (B,H,N,C,X); the last one is filled with zeros, which do
/// nothing. Undefined stays so.
Tensor in_chunks(const Tensor& x, int64_t chunk);

/// sum_{j < i <= last} x_i for each j of (..,C,X).
Tensor sums_after(const Tensor& x);

/// exp(sum_{j < i <= r} x_i) for pairs of (..,C): (..,r,j), zero for j > r or (strictly) j = r.
Tensor decays_between(const Tensor& x, bool strictly);

/// Products of rows with earlier rows of a chunk.
class DecayedPairs {
 public:
  /// Logarithms of decays (B,H,N,C,1 or D), undefined without.
  DecayedPairs(const Tensor& log_decay, int64_t chunk) : decay_(log_decay), chunk_(chunk) {}

  /// sum_i a_ri b_ji times the decay of i from j to r, for j <= r, or j < r, zero elsewhere:
  /// (B,H,N,C,C). a and b may have more dimensions in front, which are broadcast.
  Tensor of(const Tensor& a, const Tensor& b, bool strictly) const;

 private:
  Tensor block(const Tensor& a, const Tensor& b, int64_t first, bool strictly) const;

  Tensor decay_;
  int64_t chunk_;
};

}  // namespace lavo
