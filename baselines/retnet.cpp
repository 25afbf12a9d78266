// SPDX-License-Identifier: MIT
#include "baselines/retnet.h"

#include <cmath>

namespace lavo {

void RetNet::set_gates(const Inputs& in, DeltaRule& rule) const {
  const Shape s = in.shape();
  const auto options = in.query.options();
  const Tensor h = torch::arange(s.H, options.dtype(torch::kFloat64));
  rule.log_decay = torch::log1p(-torch::exp2(-5 - h))
                       .to(compute_type(in.query.scalar_type()))
                       .view({1, s.H, 1, 1})
                       .expand({s.B, s.H, s.T, 1});
}

Tensor RetNet::step(const Tensor& S, const RecurrentToken& token) const {
  std::vector<double> kept;
  for (int64_t h = 0; h < S.size(1); ++h) {
    kept.push_back(1 - std::pow(2.0, -5.0 - static_cast<double>(h)));
  }
  return torch::tensor(kept, S.options()).view({1, -1, 1, 1}) * S + outer(token);
}

}  // namespace lavo
