// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/local_window.h"

namespace lavo {

struct LocalOptions {
  int64_t window = 16;
  int64_t look_back = 0;
  WindowPosition position = WindowPosition::kRelative;

  void visit(OptionVisitor& v) {
    v.integer("window", window, between(1, 65536), "W, tokens in a window", small(5));
    v.integer("look_back", look_back, between(0, 64), "blocks before the query's own that it sees");
    v.choice("position", position, kWindowPositions, "learned bias by distance inside the window");
  }
  void validate() const {}
  void resolve(const Setting&) {}
};

/// Block attention: LAVO's local part alone, the control that every LAVO result must be read
/// against.
///
///   o_t = sum_j softmax_j(q_t . k_j / sqrt(D) + P[t - j + W - 1]) v_j     over t's own block and
///   look_back before it
///
/// Parameter relative_bias P (H, (look_back + 2) W - 1), 0 at the start. O(T W (look_back + 1) (D +
/// E)) time; state: the keys and values of the current window and of look_back blocks. Cross
/// attention has no windows. Source: the local part of arXiv:2312.11135; as a baseline Qiu et al.
/// 2020, arXiv:1911.02972.
class Local final : public MechanismOf<Local> {
 public:
  using Options = LocalOptions;
  static constexpr auto kName = "local";
  static constexpr auto kTitle = "block attention";
  static constexpr auto kCitation = "Qiu et al. 2020, arXiv:1911.02972";
  static constexpr auto kGroup = "controls";
  static constexpr Facts kFacts{
      .fused_calls = "every pattern", .own_positions = true, .state_option = "window"};
  static Patterns supported();

  Local(const Options& options, const Setting& setting, at::Generator& generator);
  std::unique_ptr<State> new_state() const override { return std::make_unique<KeyValueCache>(); }
  Cost cost(const Shape& shape, Pattern pattern) const override;
  std::string not_fused(const CallFacts& call) const override;
  int64_t block() const override { return options_.window; }
  int64_t first_not_finite(int64_t t) const override;
  bool state_merges() const override { return true; }

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_fused(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;

 private:
  Windows windows(bool causal) const { return {options_.window, options_.look_back, causal}; }
  Options options_;
  Tensor relative_bias_;
};

}  // namespace lavo
