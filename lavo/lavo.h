// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/lavo_options.h"

namespace lavo {

struct AttendInputs;

/// What the rows of the memory are made of. H or 1 heads.
struct Memory {
  Tensor key_mean_BHTR;    ///< h^K; T or 1 (one memory for all queries)
  Tensor value_mean_BHTR;  ///< h^V
  Tensor key_bases_HRD;    ///< B_K
  Tensor value_bases_HRD;  ///< B_V
};

/// B with a leading dimension of heads (H or 1), and what its rows are as keys and as values.
struct LavoBases {
  Tensor rows_HRX;   ///< X: the width of what is averaged
  Tensor key_HRD;    ///< B, or B W_K for context memory
  Tensor value_HRD;  ///< B, or B W_V
};

/// F_t = B_V^T (p_t (.) h^V_t),  p_t = softmax_i(h^K_ti (B_K q_t)_i / sqrt(D)): attention over the
/// R rows h_ti b_i without ever building one. query (B,H,T,D) in the compute type -> (B,H,T,D).
/// O(T R D) time, O(T R) memory.
Tensor memory_attention(const Tensor& query_BHTD, const Memory& memory);

/// The same with the rows h_ti b_i built, (B,H,T,R,D) of keys and of values: what the form above
/// saves, to be measured beside it. O(T R D) memory.
Tensor naive_memory_attention(const Tensor& query_BHTD, const Memory& memory);

/// Linear attention via orthogonal memory, with context dissecting and embedded position encoding.
///
///   h_t = 1/t sum_{j<=t} B x_j            (R)   running mean of the projected context
///   K_ti = h^K_ti b^K_i, V_ti = h^V_ti b^V_i    the rows of the memory
///   F_global,t = sum_i softmax_i(q_t . K_ti / sqrt(D)) V_ti
///   F_local,t  = sum_j softmax_j(q_t . k_j / sqrt(D) + P[t - j + W - 1]) v_j    in t's window
///   o_t = (1 - mix) F_global,t + mix F_local,t
///
/// Noncausal and cross: one mean over all keys. Cross, or dissect = false: o = F_global.
/// memory = slots, address: F_global is that of AddressedMemory.
/// memory = context: x is the layer's input, b^K = B W_K and b^V = B W_V of each head; shared: x =
/// v for both; key_value: x = k and x = v, each with its own mean. Asks for E = D.
///
/// Parameters and buffers: bases B (R, D), or (R, model width) for context memory; relative_bias P
/// (H, (look_back + 2) W - 1), 0 at the start; mix_logit (H) where mix is learned, temperature (H) likewise. Time O(T (R + W)
/// D), state R (2 R for key_value; about 2 R D for slots, R D for address) numbers and the current window for each head. Source:
/// arXiv:2312.11135, section 3. Differs from it: memory kinds other than `context`, mix,
/// decay, global_scale, look_back, and bases beyond D rows are ours.
class Lavo final : public MechanismOf<Lavo> {
 public:
  using Options = LavoOptions;
  static constexpr auto kName = "lavo";
  static constexpr auto kTitle = "linear attention via orthogonal memory";
  static constexpr auto kCitation = "Zhang et al. 2023, arXiv:2312.11135";
  static constexpr auto kGroup = "LAVO";
  static constexpr Facts kFacts{.equal_widths = true,
                                .fused_calls = "every pattern",
                                .naive = true,
                                .own_positions = true,
                                .running_mean = true,
                                .state_option = "bases"};
  static Patterns supported() { return {}; }

  Lavo(Options options, const Setting& setting, at::Generator& generator);
  bool one_or_per_head(const std::string& tensor) const override { return tensor == "bases"; }
  std::vector<InputSpec> inputs() const override;
  Patterns patterns() const override;
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;
  std::string not_fused(const CallFacts& call) const override;
  int64_t block() const override { return options_.window; }
  int64_t first_not_finite(int64_t t) const override;
  bool state_merges() const override { return !options_.has_addresses(); }
  std::optional<MemoryView> inspect(const Inputs& in, int64_t row) override;

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_fused(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
  void check(const Inputs& in, const State* state) const override;

 private:
  bool has_local(const Inputs& in) const;
  bool has_global(const Inputs& in) const;
  Windows windows(bool causal) const { return {options_.window, options_.look_back, causal}; }
  LavoBases bases(const Inputs& in) const;
  AddressedMemory addressed(const Inputs& in) const;
  int64_t tile_tokens(const Shape& shape, torch::Device device = torch::kCPU) const;
  Cost cost_with_addresses(const Shape& shape, Pattern pattern, bool local, bool global) const;
  Tensor part_weights(const Inputs& in) const;  ///< (2, H): of the memory, of the window
  /// The memory of a call of the operator; false where it has none like it.
  bool add_memory(const Inputs& in, AttendInputs& call) const;
  Tensor combine(const Tensor& global, const Tensor& local) const;

  Options options_;
  Tensor bases_, relative_bias_, mix_logit_, temperature_;
};

}  // namespace lavo
