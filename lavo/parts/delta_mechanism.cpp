// SPDX-License-Identifier: MIT
#include "lavo/parts/delta_mechanism.h"

#include <cmath>

namespace lavo {

std::unique_ptr<State> DeltaMechanism::new_state() const {
  return std::make_unique<NamedState>(std::vector<std::string>{""});
}

double DeltaMechanism::scale(int64_t D) const { return 1 / std::sqrt(static_cast<double>(D)); }

Tensor DeltaMechanism::attend(const Inputs& in, State* state) {
  DeltaRule rule{
      .query = in.query, .key = in.key, .value = in.value, .scale = scale(in.query.size(3))};
  set_gates(in, rule);
  return delta_rule(rule, static_cast<NamedState*>(state));
}

Tensor DeltaMechanism::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  return recurrent_rows(in, inputs(), rows, scale(in.query.size(3)),
                        [this](const Tensor& S, const RecurrentToken& t) { return step(S, t); });
}

// All gates are decays so far.
Cost DeltaMechanism::cost(const Shape& shape, Pattern) const {
  int64_t gates = 0;
  bool vector_decay = false;
  for (const InputSpec& spec : inputs()) {
    const bool wide = spec.letters.ends_with('D');
    gates += wide ? shape.D : 1;
    vector_decay |= wide;
  }
  return delta_cost(shape, vector_decay, /*erases=*/false, gates);
}

Tensor outer(const RecurrentToken& token) {
  return token.key.unsqueeze(3) * token.value.unsqueeze(2);
}

}  // namespace lavo
