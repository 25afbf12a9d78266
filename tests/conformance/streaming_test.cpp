// SPDX-License-Identifier: MIT
#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

Inputs piece_of(const Inputs& in, int64_t t, int64_t length) {
  Inputs piece = in;
  for (Tensor* x : {&piece.query, &piece.key, &piece.value}) *x = x->narrow(2, t, length);
  if (in.key_mask.defined()) piece.key_mask = in.key_mask.narrow(1, t, length);
  return piece;
}

Tensor streamed(Mechanism& mechanism, const Inputs& in, const std::vector<int64_t>& lengths) {
  const auto state = mechanism.new_state();
  std::vector<Tensor> pieces;
  const int64_t T = in.query.size(2);
  for (int64_t t = 0, i = 0; t < T; ++i) {
    const int64_t length = std::min(lengths[static_cast<size_t>(i) % lengths.size()], T - t);
    pieces.push_back(mechanism.forward(piece_of(in, t, length), *state));
    t += length;
  }
  CHECK(state->position == T);
  return torch::cat(pieces, 2);
}

std::unique_ptr<State> state_of(const Mechanism& mechanism) {
  try {
    return mechanism.new_state();
  } catch (const OptionError&) {
    return nullptr;
  }
}

}  // namespace

TEST_CASE("streaming gives what the whole gives, whatever the chunks") {
  torch::NoGradGuard no_grad;
  const bool padding = GENERATE(false, true);
  const auto type = GENERATE(torch::kFloat64, torch::kFloat32);
  int tried = 0;
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, 150, 150);
    const auto mechanism = variant.create(shape, true, false, type);
    if (!mechanism || !variant.includes(Pattern::kCausalSelf) || !state_of(*mechanism)) continue;
    const Inputs in = random_inputs(shape, type, 4, {.causal = true, .padding = padding});
    const Tensor whole = mechanism->forward(in);
    for (const auto& lengths :
         std::vector<std::vector<int64_t>>{{1}, {64, 1, 20}, {7}, {150}, {3, 90}}) {
      CAPTURE(variant.name(), lengths, padding, toString(type));
      CHECK(worst_row_error(streamed(*mechanism, in, lengths), whole) <=
            2 * tolerance(type, shape.S + 64));
      ++tried;
    }
  }
  CHECK(tried > 0);
}

TEST_CASE("a state neither grows nor follows the gradient") {
  for (const Variant& variant : small_mechanisms()) {
    const Shape shape = small_shape(*variant.entry, 300, 300);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat32);
    if (!mechanism || !variant.includes(Pattern::kCausalSelf)) continue;
    const auto state = state_of(*mechanism);
    if (!state) continue;
    CAPTURE(variant.name());
    const Inputs in = random_inputs(shape, torch::kFloat32, 4, {.causal = true});
    mechanism->forward(piece_of(in, 0, 100), *state);
    const int64_t early = state->bytes();
    mechanism->forward(piece_of(in, 100, 200), *state);
    const bool is_cache = variant.entry->name.starts_with("vanilla");  // the one whose state grows
    CHECK(state->bytes() == (is_cache ? 3 * early : early));
    CHECK(static_cast<double>(state->bytes()) == mechanism->cost(shape, true).state_bytes);
    for (const Tensor& x : state->tensors()) CHECK_FALSE(x.requires_grad());
  }
}
