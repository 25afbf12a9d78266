// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/feature_attention.h"

namespace lavo {

enum class PerformerFeatures { kExp, kRelu };
enum class Stabilizer { kPrefix, kSequence };

struct PerformerOptions {
  PerformerFeatures features = PerformerFeatures::kExp;
  std::optional<int64_t> feature_count;
  std::optional<Stabilizer> stabilizer;
  std::optional<double> epsilon;
  double key_sum_epsilon = 0;
  bool projection_per_head = false;
  int64_t redraw_interval = 1000;

  void visit(OptionVisitor& v) {
    v.choice("features", features, {"exp", "relu"}, "exp: FAVOR+, an unbiased softmax kernel");
    v.integer("feature_count", feature_count, between(1, 65536),
              "M, random features; unset: int(D ln D)", small(12));
    v.choice(
        "stabilizer", stabilizer, {"prefix", "sequence"},
        "the maximum taken out of the exponents: over the keys so far, or over all (published; "
        "not causal); unset: prefix when causal self, else sequence");
    v.number("epsilon", epsilon, at_least(0),
             "added to every feature; unset: 1e-4 for sequence, 0 for prefix, 1e-3 for relu");
    v.number("key_sum_epsilon", key_sum_epsilon, at_least(0),
             "added to every entry of the sum of key features in the normaliser");
    v.boolean("projection_per_head", projection_per_head, "a random projection for each head");
    v.integer("redraw_interval", redraw_interval, at_least(0),
              "training steps between new projections; 0 = never; never in eval");
  }
  void validate() const {}
  void resolve(const Setting& setting);
  /// The two that depend on the pattern.
  Stabilizer stabilizer_for(bool causal_self) const;
  double epsilon_for(Stabilizer chosen) const;
};

/// Performer: softmax attention by positive random features, FAVOR+.
///
///   u(x) = W x D^(-1/4),  g(x) = |x|^2 / (2 sqrt(D)),  W (M, D) random, orthogonal in blocks
///   phi_q = M^(-1/2) (exp(u - g - c_q) + epsilon),  phi_k likewise with c_k
///   o_t = sum_j (phi_q(q_t) . phi_k(k_j)) v_j / sum_j phi_q(q_t) . phi_k(k_j)
///
/// over all keys; causal: over j <= t. The stabilizers c carry no gradient:
///   prefix     c_q = max_r (u - g), c_k = the maximum of u - g over r and the visible j <= t, at
///              time t; all keys when not causal. Strictly causal; the sums are rescaled when the
///              maximum grows. With epsilon = 0 it changes nothing but the range.
///   sequence   c_q = max_r u, c_k = the maximum of u over r and all visible keys, as published.
///              Used causally, later keys leak through epsilon: to compare with published results
///              only, and without a streaming state.
/// features = relu: phi = relu(u) + epsilon. A zero normaliser gives zeros.
///
/// Buffer projection W (M, D), or (H, M, D) with projection_per_head; drawn anew every
/// redraw_interval training forwards. O(T M (D + E)) time; state: M (E + 1) numbers and a maximum
/// for each head.
/// Source: Choromanski et al. 2021, arXiv:2009.14794.
/// Differs from it: the stabilizer prefix, and sums in float32 or wider.
class Performer final : public MechanismOf<Performer, FeatureMechanism> {
 public:
  using Options = PerformerOptions;
  static constexpr auto kName = "performer";
  static constexpr auto kTitle = "Performer";
  static constexpr auto kCitation = "Choromanski et al. 2021, arXiv:2009.14794";
  static constexpr auto kGroup = "2020 to 2022";
  static constexpr Facts kFacts{.fused_calls = "causal self attention on the CPU",
                                .state_option = "feature_count"};
  static Patterns supported() { return {}; }

  Performer(const Options& options, const Setting& setting, at::Generator& generator);
  bool leaks_future() const override;
  /// Epsilon is a share of the level that keys have reached, which a later piece does not know.
  bool state_merges() const override;
  bool has_full_gradient() const override;
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;
  bool one_or_per_head(const std::string& tensor) const override { return tensor == "projection"; }
  void resume_training(int64_t forwards) override { training_forwards_ = forwards; }

 protected:
  int64_t feature_count(int64_t) const override { return projection_.size(-2); }
  bool has_levels(bool causal_self) const override;  ///< a running maximum of the keys
  FeatureAttention attention(const Inputs& in, bool streaming) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;

 private:
  Tensor draw(int64_t heads, int64_t width, at::Generator& generator) const;
  void count_training_forward();

  Options options_;
  Tensor projection_;
  uint64_t redraw_seed_ = 0;  ///< the k-th redraw has the low half of this + k
  int64_t training_forwards_ = 0;
};

}  // namespace lavo
