// SPDX-License-Identifier: MIT
#pragma once

#include <limits>

#include "lavo/core/inputs.h"

namespace lavo {

/// A key or value that cannot be seen: its weight is 0.
inline constexpr double kNoLogit = -std::numeric_limits<double>::infinity();

/// Weighted means of all tokens so far, in M slots, as the gates of slot_attention or delta_rule:
///
///   z_t = log(exp(z_{t-1} + g_t) + exp(l_t)),   s_t = exp(l_t - z_t),   z_{t-1} + g_t - z_t
///
/// are the logarithm of what all weights so far add up to, what token t counts for in the mean, and
/// the logarithm of what is left of the mean before it. s and the rest add up to 1.
struct MeanGates {
  Tensor slots, log_decay;  ///< (B,H,T,M) in the compute type of the logits
  Tensor normaliser;        ///< z behind the last token, (B,H,M) in float64
};

/// logits l (B,H,T,M); log_decay g <= 0, to be broadcast to them, undefined: 0; normaliser z as
/// carried, undefined: of no token. Differentiable. O(T M).
MeanGates mean_gates(const Tensor& logits_BHTM, const Tensor& log_decay,
                     const Tensor& normaliser_BHM);

}  // namespace lavo
