// SPDX-License-Identifier: MIT
// A memory of M slots, filled by weights and read by a softmax over the slots: what GSA, ABC and
// Luna have in common.
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

/// For each head, keys K [D, M] and values V [M, E] of M slots, as carried or zero:
///
///   K_t = K_{t-1} Diag(exp(g_t)) + k_t s_t^T     V_t = Diag(exp(g_t)) V_{t-1} + s_t v_t^T
///   o_t = V_t^T softmax_M(scale K_t^T q_t)
///
/// In chunks of C = 64 tokens, in two passes (Zhang et al. 2024, arXiv:2409.07146, section 3), with
/// K and V as they enter the chunk:
///
///   W_rjm = s_jm exp(sum_{j < i <= r} g_im), j <= r      d_rm = exp(sum_{i <= r} g_im)
///   p_r = softmax_M(scale [sum_j (q_r . k_j) W_rjm + d_rm (K^T q_r)_m])
///   o_r = sum_j (sum_m p_rm W_rjm) v_j + V^T (d_r p_r)
///
/// W is built for blocks of 16 tokens; across blocks it is the product of what is left of a token
/// at the block's first one and of that at r. Every exponent is a sum of decays, none a difference of
/// sums, and what is masked is masked before the exponential: a strong decay gives zeros, not NaN.
/// Time O(T (C (D + E) + 16 M + M (D + E))), memory beyond inputs and gradients that of a tile of
/// tokens.
struct SlotAttention {
  Tensor query, key, value;  ///< (B,H,T,D), (B,H,T,D), (B,H,T,E) in any floating type
  Tensor slots;              ///< s, (B,H,T,M)
  Tensor log_decay = {};     ///< g <= 0, (B,H,T,M); undefined: 0, plain sums
  double scale = 1;
};

/// o (B,H,T,E) in the type of the query. `state`, where given, has "key" and "value" and is
/// advanced; they are kept in the compute type, plain sums in float64.
Tensor slot_attention(const SlotAttention& call, NamedState* state);

/// Slots that are filled from all keys at once and then read by every query:
///
///   w_jm = softmax_S(logits_jm)     K = sum_j k_j w_j^T     V = sum_j w_j v_j^T
///
/// (B,H,S,M) -> K (B,H,D,M), V (B,H,M,E). A slot without a logit above -infinity is zero. Time
/// O(S M (D + E)).
struct PackedSlots {
  Tensor key, value;
};
PackedSlots pack_slots(const Tensor& key_BHSD, const Tensor& value_BHSE, const Tensor& logits_BHSM);

/// V^T softmax_M(scale K^T q): (B,H,T,E).
Tensor read_slots(const Tensor& query_BHTD, const PackedSlots& slots, double scale);

/// The same for one query, told in parts.
MemoryView view_slots(const Tensor& query_BH1D, const PackedSlots& slots, double scale);

/// What slot_attention costs, and pack_slots with read_slots. `inputs`: numbers a token that were
/// declared beside query, key and value.
struct SlotCost {
  int64_t slots, inputs;
  bool decays = true;
};
Cost causal_slot_cost(const Shape& shape, const SlotCost& call);
Cost packed_slot_cost(const Shape& shape, const SlotCost& call);

/// How many slots there are, where no tensor says it.
struct SlotOptions {
  std::optional<int64_t> slot_count;

  void visit(OptionVisitor& v) {
    v.integer("slot_count", slot_count, between(1, 65536), "M, slots; unset: the head's width",
              small(5));
  }
  void validate() const {}
  void resolve(const Setting& setting) {
    if (!slot_count) slot_count = setting.head_dim;
  }
};

/// Throws ShapeError, begun by `owner`, where an input of letter M has another count.
void check_slots(const std::string& owner, const Inputs& in, const std::vector<InputSpec>& specs,
                 int64_t count);

}  // namespace lavo
