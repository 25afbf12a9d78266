// SPDX-License-Identifier: MIT
// The recurrence of the delta family, whole sequences in chunks and streams token by token.
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

/// For each head, S [D, E], with S_0 as carried or zero:
///
///   S' = Diag(exp(g_t)) S_{t-1}                  decay, g <= 0
///   u_t = w_t v_t - S'^T (e_t k_t)               what is new: the write less what the key recalls
///   S_t = S' + k_t u_t^T;   o_t = scale S_t^T q_t
///
/// In chunks of C = 64 tokens (arXiv:2412.06464, section 3; arXiv:2510.26692, section 3). With
/// d_rj = exp(sum_{j < m <= r} g_m), and r = C or j = 0 at the edges of a chunk:
///
///   L_rj = sum_i e_r k_ri k_ji d_rji, j < r;   (I + L) U = w V - (e K d_r0) S
///   O = scale [(Q d_r0) S + P U],   P_rj = sum_i q_ri k_ji d_rji, j <= r
///   S <- Diag(d_C0) S + sum_m (k_m d_Cm) u_m^T
///
/// The exponent of a pair is added up for itself: differences of running sums would lose what
/// cancels. None is ever positive, and what is masked is masked before the exponential: a strong
/// decay gives zeros, not NaN. Time O(T (C (D + E) + D E)), and 16 D more a token where channels
/// decay apart.
struct DeltaRule {
  Tensor query, key, value;  ///< (B,H,T,D), (B,H,T,D), (B,H,T,E) in any floating type
  Tensor log_decay = {};     ///< g, (B,H,T,1) or (B,H,T,D); undefined: 0
  Tensor erase = {};         ///< e, (B,H,T,1) or (B,H,T,D); undefined: 0, a plain outer product
  Tensor write = {};         ///< w, (B,H,T,1); undefined: 1
  double scale = 1;
};

/// o (B,H,T,E) in the type of the query. `state`, where given, is advanced; it is kept in the
/// compute type. Beyond inputs and gradients it needs the memory of a tile of tokens.
Tensor delta_rule(const DeltaRule& call, NamedState* state);

/// What it costs. `gates`: numbers of log_decay, erase and write a token.
Cost delta_cost(const Shape& shape, bool vector_decay, bool erases, int64_t gates);

/// The refusals of a recurrence: everything but causal self attention.
Patterns recurrent_patterns();

}  // namespace lavo
