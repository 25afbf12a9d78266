// SPDX-License-Identifier: MIT
// What the conformance tests do not ask of the mechanisms with slots, and of the control without.
#include <limits>

#include "baselines/table.h"
#include "lavo/core/check.h"
#include "lavo/core/problem.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

constexpr Shape kSlotShape{.B = 2, .H = 2, .T = 150, .S = 150, .D = 8, .E = 6};
const Setting kSlotSetting{.heads = 2, .head_dim = 8, .value_dim = 6, .causal = true};

std::vector<int64_t> rows_of(int64_t T) {
  std::vector<int64_t> rows;
  for (int64_t t = 0; t < T; ++t) rows.push_back(t);
  return rows;
}

std::string refused_with(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

}  // namespace

TEST_CASE("slot logits far apart, and tokens of no weight, leave abc right and finite") {
  const auto mechanism =
      make_mechanism("abc", {{"slot_count", 4}}, kSlotSetting, 0, torch::kFloat64);
  Inputs in = random_inputs(*mechanism, kSlotShape, torch::kFloat64, 5, {.causal = true},
                            {{"slot_count", 4}});
  Tensor& logits = in.extra.at("slot_logits").tensor;
  logits.mul_(10);
  logits.select(2, 20).add_(200);
  logits.narrow(2, 90, 3).sub_(500);
  logits.narrow(2, 70, 2).fill_(-std::numeric_limits<double>::infinity());
  in = in.leaves();
  const Tensor out = mechanism->forward(in);
  CHECK(worst_row_error(out, mechanism->reference(in, rows_of(150))) < 1e-11);
  out.square().sum().backward();
  in.each([](Tensor& x) { CHECK(x.grad().isfinite().all().item<bool>()); });
}

TEST_CASE("a count of slots that no input has is refused, and unset it is the head's width") {
  for (const char* name : {"gsa", "abc", "luna"}) {
    const auto four = make_mechanism(name, {{"slot_count", 4}}, kSlotSetting, 0, torch::kFloat64);
    const Inputs in =
        random_inputs(*four, kSlotShape, torch::kFloat64, 5, {.causal = true}, {{"slot_count", 5}});
    CHECK_THAT(refused_with([&] { four->forward(in); }),
               ContainsSubstring("5") && ContainsSubstring("option 'slot_count' is 4"));
    CHECK(find_mechanism(name).resolve(json::object(), kSlotSetting).at("slot_count") == 8);
  }
}

TEST_CASE("chunks of eva that do not divide a window are refused") {
  CHECK(refused_with([] {
          make_mechanism("eva", {{"window", 16}, {"chunk", 5}}, kSlotSetting, 0);
        }) == "eva: option 'chunk' must divide 'window' 16, got 5");
}

TEST_CASE("eva refuses a state whose rows are not those of its position") {
  const auto mechanism = make_mechanism("eva", json::object(), kSlotSetting, 0, torch::kFloat64);
  const Inputs in = random_inputs(*mechanism, kSlotShape, torch::kFloat64, 5, {.causal = true});
  const auto state = mechanism->new_state();
  mechanism->forward(in.narrow(0, 20), *state);
  CHECK(state->tensors()[0].size(2) == 4 + 4);  // 16 tokens in 4 chunks, and 4 tokens
  state->position = 21;
  CHECK(refused_with([&] { mechanism->forward(in.narrow(20, 1), *state); }) ==
        "eva: a state of 21 tokens holds 9 keys, got 8");
}

TEST_CASE("the control mixes nothing and carries nothing") {
  const auto mechanism = make_mechanism("none", json::object(), kSlotSetting, 0, torch::kFloat64);
  const Inputs in = random_inputs(kSlotShape, torch::kFloat64, 5, {.causal = true});
  CHECK(torch::equal(mechanism->forward(in), in.value));
  const auto state = mechanism->new_state();
  mechanism->forward(in.narrow(0, 20), *state);
  CHECK(state->bytes() == 0);
}

TEST_CASE("an output of slots is their values by the weights that inspect tells") {
  for (const char* name : {"gsa", "abc", "luna"}) {
    for (const bool causal : {true, false}) {
      const auto mechanism =
          make_mechanism(name, {{"slot_count", 4}}, kSlotSetting, 0, torch::kFloat64);
      if (!mechanism->patterns().include(pattern_of(causal, false))) continue;
      const Inputs in = random_inputs(*mechanism, kSlotShape, torch::kFloat64, 5,
                                      {.causal = causal, .padding = true}, {{"slot_count", 4}});
      for (const int64_t row : {5, 149}) {
        CAPTURE(name, causal, row);
        const auto view = mechanism->inspect(in, row);
        REQUIRE(view);
        CHECK(view->weight_BHR.sum(-1).allclose(torch::ones({2, 2}, torch::kFloat64)));
        const Tensor read = torch::matmul(view->weight_BHR.unsqueeze(2), view->value_BHRE);
        CHECK(worst_row_error(read, mechanism->reference(in, {row})) < 1e-12);
      }
    }
  }
}
