// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/key_value_cache.h"

namespace lavo {

struct EvaOptions {
  int64_t window = 16;
  int64_t chunk = 4;

  void visit(OptionVisitor& v) {
    v.integer("window", window, between(1, 65536), "w, tokens in a window", small(10));
    v.integer("chunk", chunk, between(1, 65536),
              "c, tokens that one key and one value stand for in later windows; divides the window",
              small(2));
  }
  void validate() const;
  void resolve(const Setting&) {}
};

/// EVA as EvaByte has it: one softmax over the tokens of the own window and over summaries of all
/// earlier ones.
///
///   kbar_C = sum_{j in C} softmax_j(mu . k_j) k_j
///   vbar_C = sum_{j in C} softmax_j((phi . k_j - |k_j|^2 / 2) / sqrt(D)) v_j
///   o_t = softmax over {k_j : j <= t in t's window} and {kbar_C : C in earlier windows}, of
///         q_t . k / sqrt(D), applied to v_j and vbar_C
///
/// Windows of w tokens are aligned to the sequence, chunks C of c tokens to the windows. Takes mu
/// and phi (H, D), which a layer learns. Causal self attention. O(T (w + T / c) (D + E)) time: not
/// linear in T. State: a key and a value for each chunk of the finished windows and for each token
/// of the last one, (T / c + w) (D + E) numbers for each head.
/// Source: Zheng et al. 2023, arXiv:2302.04542; this form: Zheng et al. 2025, EvaByte,
/// github.com/OpenEvaByte/evabyte, evabyte_hf/eva_pt_ref.py.
class Eva final : public MechanismOf<Eva> {
 public:
  using Options = EvaOptions;
  static constexpr auto kName = "eva";
  static constexpr auto kTitle = "EVA, windows and summaries";
  static constexpr auto kCitation = "Zheng et al. 2023, arXiv:2302.04542";
  static constexpr auto kGroup = "slots";
  static Patterns supported();

  Eva(const Options& options, const Setting&, at::Generator&) : options_(options) {}
  std::vector<InputSpec> inputs() const override;
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;
  int64_t block() const override { return options_.window; }
  int64_t first_not_finite(int64_t) const override { return 0; }  ///< of a tile, of any length
  bool state_grows() const override { return true; }

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
  void check(const Inputs& in, const State* state) const override;

 private:
  Options options_;
};

}  // namespace lavo
