// SPDX-License-Identifier: MIT
// A memory whose bases are addresses: what a token is written to is told by the bases, and what is
// written there are whole keys and values.
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

enum class MemoryWrite { kMean, kSum, kDelta };

/// For bases b_i, i < R, temperature tau, and decays l (the logarithm of a fixed one of each row,
/// and the token's slot_gate, added up):
///
///   a_ji = exp(tau b_i . k_j)           w_tji = a_ji exp(l_{j+1,i} + .. + l_ti) / sum_j of it
///   K_ti = sum_j w_tji k_j              V_ti = sum_j w_tji v_j
///   slots          o_t = sum_i softmax_i(s q_t . K_ti) V_ti           s = tau if unit, else D^-1/2
///   address, mean  o_t = sum_i softmax_i(tau q_t . b_i) V_ti
///   address, sum   V_t = Diag(exp(l_t)) V_{t-1} + f(k_t) v_t^T,   o_t = V_t^T f(q_t)
///   address, delta V' = Diag(exp(l_t)) V_{t-1},   V_t = V' + beta_t f(k_t) (v_t - V'^T f(k_t))^T
///
/// f(x) is the unit vector along softmax_i(tau b_i . x). With `unit`, all keys and queries here are
/// unit vectors. Slots and the means of address are ABC's (Peng et al. 2022, arXiv:2110.02488) with
/// addresses that the token's key makes; this form is ours.
struct AddressedMemory {
  bool slots = true;  ///< else address
  MemoryWrite write = MemoryWrite::kMean;
  bool unit = false;
  Tensor bases_HRD;      ///< H or 1 heads, in the compute type
  Tensor temperature;    ///< tau, (H or 1, 1, 1)
  Tensor row_log_decay;  ///< (R) or (1) in float64; undefined: 0
};

/// What the state is made of: "key", "value", "normaliser", or "" (the state of the delta rule).
std::unique_ptr<NamedState> new_addressed_state();

/// o (B,H,T,D) in the compute type. `in` has slot_gate (B,H,T,R) and beta (B,H,T) where they are
/// declared; padding is hidden. Causal self attention advances `state`, where given; every other
/// pattern is of all keys at once, without decays. Time O(T R D) and, in chunks of C = 64,
/// O(T C (D + R)).
Tensor read_addressed(const Inputs& in, const AddressedMemory& memory, NamedState* state);

/// K_t and V_t, and what query `row` reads of them; for address the bases are the keys. Nothing
/// where sums are not divided.
std::optional<MemoryView> view_addressed(const Inputs& in, const AddressedMemory& memory,
                                         int64_t row);

/// Beyond inputs and output, which are counted too. `gates`: numbers of slot_gate and beta a token.
struct AddressedShape {
  bool slots;
  MemoryWrite write;
  int64_t bases, gates;
  bool decays;
};
Cost addressed_cost(const Shape& shape, Pattern pattern, const AddressedShape& memory);

}  // namespace lavo
