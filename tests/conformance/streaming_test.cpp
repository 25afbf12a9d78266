// SPDX-License-Identifier: MIT
#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

Tensor streamed(Mechanism& mechanism, const Inputs& in, const std::vector<int64_t>& lengths) {
  const auto state = mechanism.new_state();
  std::vector<Tensor> pieces;
  const int64_t T = in.query.size(2);
  for (int64_t t = 0, i = 0; t < T; ++i) {
    const int64_t length = std::min(lengths[static_cast<size_t>(i) % lengths.size()], T - t);
    pieces.push_back(mechanism.forward(in.narrow(t, length), *state));
    t += length;
  }
  CHECK(state->position == T);
  return torch::cat(pieces, 2);
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
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf) || !state_of(*mechanism)) continue;
    const Inputs in =
        variant.inputs(*mechanism, shape, type, 4, {.causal = true, .padding = padding});
    const Tensor whole = mechanism->forward(in);
    for (const auto& lengths :
         std::vector<std::vector<int64_t>>{{1}, {64, 1, 20}, {7}, {150}, {3, 90}}) {
      CAPTURE(variant.name(), lengths, padding, toString(type));
      ++tried;
      const double error = worst_row_error(streamed(*mechanism, in, lengths), whole);
      const double bound = 2 * tolerance(type, shape.S + 64);
      if (error <= bound) {
        SUCCEED();
        continue;
      }
      CHECK(error <= kIterationSlack * (bound + moved_by(bound, *mechanism, in)));
      mechanism->to(type);
    }
  }
  CHECK((tried > 0) == any_is_causal(/*streams=*/true));
}

TEST_CASE("a state neither grows nor follows the gradient") {
  for (const Variant& variant : small_mechanisms()) {
    const Shape shape = small_shape(*variant.entry, 300, 300);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat32);
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf)) continue;
    const auto state = state_of(*mechanism);
    if (!state) continue;
    CAPTURE(variant.name());
    const Inputs in = variant.inputs(*mechanism, shape, torch::kFloat32, 4, {.causal = true});
    mechanism->forward(in.narrow(0, 100), *state);
    const int64_t early = state->bytes();
    mechanism->forward(in.narrow(100, 200), *state);
    CHECK(state->bytes() == (mechanism->state_grows() ? 3 * early : early));
    CHECK(static_cast<double>(state->bytes()) ==
          mechanism->cost(shape, Pattern::kCausalSelf).state_bytes);
    for (const Tensor& x : state->tensors()) CHECK_FALSE(x.requires_grad());
  }
}

TEST_CASE("a state goes on from what its names hold") {
  torch::NoGradGuard no_grad;
  const bool padding = GENERATE(false, true);
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, 90, 90);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf)) continue;
    const auto state = state_of(*mechanism), copy = state_of(*mechanism);
    if (!state) continue;
    CAPTURE(variant.name());
    const Inputs in =
        variant.inputs(*mechanism, shape, torch::kFloat64, 4, {.causal = true, .padding = padding});
    mechanism->forward(in.narrow(0, 39), *state);
    for (const auto& [name, x] : state->named()) CHECK(copy->assign(name, x.clone()));
    CHECK_FALSE(copy->assign("no_such_tensor", torch::zeros({1})));
    copy->position = state->position;
    CHECK(copy->bytes() == state->bytes());
    const Tensor expected = mechanism->forward(in.narrow(39, 51), *state);
    CHECK(worst_row_error(mechanism->forward(in.narrow(39, 51), *copy), expected) <= 1e-13);
  }
}

TEST_CASE("states of two pieces merge to that of both") {
  torch::NoGradGuard no_grad;
  int tried = 0;
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, 90, 90);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf) || !mechanism->state_merges())
      continue;
    const auto first = state_of(*mechanism), second = state_of(*mechanism);
    if (!first) continue;
    CAPTURE(variant.name());
    ++tried;
    const Inputs in = variant.inputs(*mechanism, shape, torch::kFloat64, 4, {.causal = true});
    const Tensor whole = mechanism->forward(in);
    mechanism->forward(in.narrow(0, 30), *first);
    second->position = 30;
    mechanism->forward(in.narrow(30, 33), *second);
    first->merge(*second);
    CHECK(first->position == 63);
    CHECK(worst_row_error(mechanism->forward(in.narrow(63, 27), *first), whole.narrow(2, 63, 27)) <=
          2 * tolerance(torch::kFloat64, shape.S + 64));
  }
  CHECK((tried > 0 || tested_mechanisms().size() == 1));
}
