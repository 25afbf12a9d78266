// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

enum class PinvInit { kExact, kOriginal };

struct NystromformerOptions {
  int64_t landmarks = 64;
  int64_t iterations = 6;
  PinvInit pinv_init = PinvInit::kExact;
  int64_t conv_kernel = 0;

  void visit(OptionVisitor& v) {
    v.integer("landmarks", landmarks, between(1, 65536), "L, segments of queries and of keys",
              small(6));
    v.integer("iterations", iterations, between(1, 64), "of the pseudoinverse", small(8));
    v.choice("pinv_init", pinv_init, {"exact", "original"},
             "scale of the first iterate: for each batch entry and head, or one for all "
             "(published; couples batch entries)");
    v.integer("conv_kernel", conv_kernel, between(0, 65535),
              "taps of a convolution of the values added to the output; odd, 0 = none");
  }
  void validate() const;
  void resolve(const Setting&) {}
};

/// Nystromformer: softmax attention through landmarks, the means of L consecutive segments.
///
///   A1 = softmax(q kl^T / sqrt(D))    A2 = softmax(ql kl^T / sqrt(D))
///   A3 = softmax(ql k^T / sqrt(D))
///   o = A1 (Z (A3 v)),  Z ~ pinv(A2):
///   Z0 = A2^T / max column sum,  Z <- 1/4 Z (13 I - A2 Z (15 I - A2 Z (7 I - A2 Z)))
///
/// Of n tokens the first L - n % L segments hold floor(n / L), the others one more. With no more
/// queries or keys than landmarks it is softmax attention. Under padding the segments divide the
/// real tokens, in self attention of the queries too; they are what is counted.
/// Not causal in any way: a landmark mixes later tokens. No streaming state. Parameter conv_weight
/// (H, 1, conv_kernel, 1), self attention only. O(T L (D + E) + L^3) time, O(T) memory.
/// Source: Xiong et al. 2021, arXiv:2102.03902.
/// Differs from it: A1 (Z (A3 v)) instead of (A1 Z) (A3 v), which is T x L x L. More than 6
/// iterations run in float64, each batch entry and head until A2 Z A2 = A2 to rounding, all at most
/// 28: what rounding leaves in the null space of A2 grows 13/4 times with each.
class Nystromformer final : public MechanismOf<Nystromformer> {
 public:
  using Options = NystromformerOptions;
  static constexpr auto kName = "nystromformer";
  static constexpr auto kTitle = "Nystromformer";
  static constexpr auto kCitation = "Xiong et al. 2021, arXiv:2102.03902";
  static constexpr auto kGroup = "2020 to 2022";
  static constexpr Facts kFacts{.has_state = false};
  static Patterns supported();

  Nystromformer(const Options& options, const Setting& setting, at::Generator& generator);
  Patterns patterns() const override;
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;

 protected:
  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;

 private:
  Options options_;
  Tensor conv_weight_;
};

/// Z after `iterations` steps, as above. A (B,H,L,L), rows summing to 1 -> the same shape.
Tensor iterative_pinv(const Tensor& a_BHLL, int64_t iterations, PinvInit init);

}  // namespace lavo
