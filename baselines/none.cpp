// SPDX-License-Identifier: MIT
#include "baselines/none.h"

#include "lavo/core/pieces.h"

namespace lavo {

Patterns None::supported() {
  const std::string reason = "a query has no value of its own in another sequence";
  return {{"", "", reason, reason}};
}

std::unique_ptr<State> None::new_state() const {
  return std::make_unique<NamedState>(std::vector<std::string>{});
}

Tensor None::attend(const Inputs& in, State*) { return in.value.clone(); }

Tensor None::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  Pieces outputs(static_cast<int64_t>(rows.size()));
  for (const int64_t t : rows) {
    const Tensor own = in.value.narrow(2, t, 1);
    outputs.add(in.key_mask.defined() ? hide_rows(own, in.key_mask.narrow(1, t, 1), 2) : own);
  }
  return outputs.result();
}

Cost None::cost(const Shape& s, Pattern) const {
  return {.bytes = 2 * s.output_bytes(),
          .memory_bytes = s.output_bytes(),
          .backward_memory_bytes = s.output_bytes() + s.input_bytes()};
}

}  // namespace lavo
