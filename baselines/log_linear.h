// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/delta_mechanism.h"

namespace lavo {

struct LogLinearOptions {
  int64_t level_count = 21;

  void visit(OptionVisitor& v) {
    v.integer("level_count", level_count, between(1, 40),
              "L: sequences of up to 2^(L-1) tokens; given `levels` say it themselves", small(10));
  }
  void validate() const {}
  void resolve(const Setting&) {}
};

/// Log-linear attention on Mamba-2: the past in blocks that grow with their distance, a state each,
/// which the query weighs.
///
///   o_t = sum_{j <= t} lambda_t[l(t, j)] exp(sum_{j < i <= t} g_i) (q_t . k_j) v_j
///
/// l(t, t) = 0; else l(t, j) - 1 is the highest bit in which t and j, counted from 0, differ. So
/// level l >= 1 is there where bit l - 1 of t is set, and is of 2^(l-1) tokens (a Fenwick tree).
///
/// Takes log_decay g (B, H, T), <= 0, and lambda as levels (B, H, T, L); no scale, no normaliser.
/// Positions count padding. Throws ShapeError for more than 2^(L-1) tokens, a stream's whole length
/// included. Chunks of C = 64 stand at multiples of C, so that levels up to 6 stay in one:
/// O(T (C (D + E) + D E log(T / C))) time; state L D E numbers for each head, level l at index
/// l - 1.
/// A layer makes g as for mamba2, and levels = softplus(s_h x W), s_h learned and 1 at first.
/// Source: Guo et al. 2025, arXiv:2506.04761, sections 3.1 and 3.4.
class LogLinear final : public MechanismOf<LogLinear> {
 public:
  using Options = LogLinearOptions;
  static constexpr auto kName = "log_linear";
  static constexpr auto kTitle = "log-linear Mamba-2";
  static constexpr auto kCitation = "Guo et al. 2025, arXiv:2506.04761";
  static constexpr auto kGroup = "state space";
  static Patterns supported() { return recurrent_patterns(); }
  static json own_layer() { return mamba_layer(); }

  LogLinear(const Options& options, const Setting&, at::Generator&) : options_(options) {}
  std::vector<InputSpec> inputs() const override;
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;
  int64_t longest() const override { return int64_t{1} << (options_.level_count - 1); }

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
  void check(const Inputs& in, const State* state) const override;

 private:
  Options options_;
};

}  // namespace lavo
