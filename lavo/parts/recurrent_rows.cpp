// SPDX-License-Identifier: MIT
#include "lavo/parts/recurrent_rows.h"

#include <algorithm>

#include "lavo/core/pieces.h"

namespace lavo {

Tensor recurrent_rows(const Inputs& in, const std::vector<InputSpec>& specs,
                      const std::vector<int64_t>& rows, const Tensor& start,
                      const RecurrentStep& step, const RecurrentRead& read) {
  const int64_t last = *std::ranges::max_element(rows);
  Tensor state = start;
  std::map<int64_t, Tensor> outputs;
  for (int64_t t = 0; t <= last; ++t) {
    const Tensor padded = in.key_mask.defined() ? in.key_mask.select(1, t).logical_not() : Tensor();
    const auto at = [&](const Tensor& x, double neutral) {
      const Tensor own = x.select(2, t);
      if (!padded.defined()) return own;
      std::vector<int64_t> view(static_cast<size_t>(own.dim()), 1);
      view[0] = padded.size(0);
      return own.masked_fill(padded.view(view), neutral);
    };
    RecurrentToken token{in.query.select(2, t), at(in.key, 0), at(in.value, 0), {}};
    for (const InputSpec& spec : specs) {
      if (spec.is_per_token()) token.gates[spec.name] = at(in[spec.name], spec.neutral);
    }
    state = step(state, token);
    if (std::ranges::find(rows, t) == rows.end()) continue;
    outputs[t] = read(state, token).unsqueeze(2);
  }
  std::vector<Tensor> result;
  for (const int64_t t : rows) result.push_back(outputs.at(t));
  return torch::cat(result, 2);
}

Tensor recurrent_rows(const Inputs& in, const std::vector<InputSpec>& specs,
                      const std::vector<int64_t>& rows, double scale, const RecurrentStep& step) {
  const Shape s = in.shape();
  return recurrent_rows(in, specs, rows, torch::zeros({s.B, s.H, s.D, s.E}, in.query.options()),
                        step, [scale](const Tensor& S, const RecurrentToken& token) {
                          return scale * (S * token.query.unsqueeze(3)).sum(2);
                        });
}

}  // namespace lavo
