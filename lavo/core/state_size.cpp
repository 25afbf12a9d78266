// SPDX-License-Identifier: MIT
#include "lavo/core/state_size.h"

#include <algorithm>

#include "lavo/core/problem.h"

namespace lavo {
namespace {

/// Tokens after which the state is at its largest, by what the mechanism says of itself. A window's
/// cache fills inside a block and, where queries look back, from block to block.
int64_t fullest_position(const Mechanism& mechanism, Shape shape) {
  const auto bytes_after = [&](int64_t tokens) {
    shape.T = shape.S = tokens;
    return mechanism.cost(shape, Pattern::kCausalSelf).state_bytes;
  };
  int64_t fullest = 0;
  double most = -1;
  bool rises = true;
  for (int64_t begin = 0; rises && begin < mechanism.longest(); begin += mechanism.block()) {
    rises = false;
    const int64_t end = std::min(begin + mechanism.block(), mechanism.longest());
    for (int64_t tokens = begin + 1; tokens <= end; ++tokens) {
      const double bytes = bytes_after(tokens);
      if (bytes <= most) continue;
      fullest = tokens;
      most = bytes;
      rises = true;
    }
  }
  return fullest;
}

}  // namespace

StateSize size_of(const State& state) {
  StateSize size{.bytes = state.bytes()};
  for (const Tensor& x : state.tensors()) size.numbers += x.numel();
  return size;
}

StateSize largest_state(Mechanism& mechanism, const Setting& setting, torch::ScalarType type,
                        const json& options) {
  torch::NoGradGuard no_grad;
  Shape shape{.B = 1,
              .H = setting.heads,
              .D = setting.head_dim,
              .E = setting.value_dim,
              .element_bytes = static_cast<int64_t>(torch::elementSize(type))};
  const auto state = mechanism.new_state();
  shape.T = shape.S = fullest_position(mechanism, shape);
  json counts = options;
  counts[""] = setting.model_dim;  // M where no option counts it: the layer's input
  mechanism.forward(random_inputs(mechanism, shape, type, /*seed=*/0, {.causal = true}, counts),
                    *state);
  return size_of(*state);
}

}  // namespace lavo
