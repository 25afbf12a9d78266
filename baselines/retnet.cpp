// SPDX-License-Identifier: MIT
#include "baselines/retnet.h"

#include <cmath>

#include "lavo/parts/recurrent_rows.h"

namespace lavo {
namespace {

/// g (1, H, 1, 1).
Tensor head_decays(int64_t heads, const torch::TensorOptions& options) {
  const Tensor h = torch::arange(heads, options.dtype(torch::kFloat64));
  return torch::log1p(-torch::exp2(-5 - h)).to(options).view({1, heads, 1, 1});
}

}  // namespace

std::unique_ptr<State> RetNet::new_state() const {
  return std::make_unique<NamedState>(std::vector<std::string>{""});
}

Tensor RetNet::attend(const Inputs& in, State* state) {
  const Shape s = in.shape();
  const auto options = in.query.options().dtype(compute_type(in.query.scalar_type()));
  return delta_rule({.query = in.query,
                     .key = in.key,
                     .value = in.value,
                     .log_decay = head_decays(s.H, options).expand({s.B, s.H, s.T, 1}),
                     .scale = 1 / std::sqrt(static_cast<double>(s.D))},
                    static_cast<NamedState*>(state));
}

Tensor RetNet::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  std::vector<double> kept;
  for (int64_t h = 0; h < in.shape().H; ++h)
    kept.push_back(1 - std::pow(2.0, -5.0 - static_cast<double>(h)));
  const Tensor decay = torch::tensor(kept, in.query.options()).view({1, -1, 1, 1});
  return recurrent_rows(in, {}, rows, 1 / std::sqrt(static_cast<double>(in.query.size(3))),
                        [&](const Tensor& S, const RecurrentToken& token) {
                          return decay * S + token.key.unsqueeze(3) * token.value.unsqueeze(2);
                        });
}

Cost RetNet::cost(const Shape& shape, Pattern) const {
  return delta_cost(shape, /*vector_decay=*/false, /*erases=*/false,
                    /*gates=*/0);
}

}  // namespace lavo
