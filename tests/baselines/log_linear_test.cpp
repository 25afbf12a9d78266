// SPDX-License-Identifier: MIT
#include "baselines/log_linear.h"

#include "baselines/table.h"
#include "experiments/apply.h"
#include "lavo/core/check.h"
#include "lavo/core/problem.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

const Shape kFour{.B = 1, .H = 2, .T = 4, .S = 4, .D = 8, .E = 8};

std::shared_ptr<Mechanism> with_levels(int64_t count) {
  return make_mechanism("log_linear", {{"level_count", count}}, {.heads = 2}, 1, torch::kFloat64);
}

Inputs tokens(const Mechanism& mechanism, int64_t length, int64_t levels) {
  Shape shape = kFour;
  shape.T = shape.S = length;
  return random_inputs(mechanism, shape, torch::kFloat64, 3, {.causal = true},
                       {{"level_count", levels}});
}

}  // namespace

TEST_CASE("L levels take 2^(L-1) tokens, whole or streamed, and refuse one more in one line") {
  torch::NoGradGuard no_grad;
  const auto mechanism = with_levels(6);
  CHECK(mechanism->longest() == 32);
  const Inputs in = tokens(*mechanism, 33, 6);
  CHECK_NOTHROW(mechanism->forward(in.narrow(0, 32)));
  const auto* const said =
      "log_linear: 33 tokens are more than the 32 that 6 levels hold: option 'level_count' must be "
      "at least 7";
  CHECK_THROWS_WITH(mechanism->forward(in), said);
  const auto state = mechanism->new_state();
  mechanism->forward(in.narrow(0, 32), *state);
  CHECK_THROWS_WITH(mechanism->forward(in.narrow(32, 1), *state), said);
  CHECK_THROWS_WITH(with_levels(7)->forward(in),
                    ContainsSubstring("'levels' are 6, option 'level_count' is 7"));
}

TEST_CASE("more levels than the tokens need change nothing") {
  torch::NoGradGuard no_grad;
  const auto few = with_levels(6), many = with_levels(9);
  Inputs in = tokens(*many, 32, 9);
  const Tensor expected = many->forward(in);
  Tensor& levels = in.extra.at("levels").tensor;
  levels = levels.narrow(3, 0, 6);
  CHECK(worst_row_error(few->forward(in), expected) < 1e-14);
}

TEST_CASE("a file's levels say how many there are; an option that says another number is refused") {
  torch::NoGradGuard no_grad;
  const auto mechanism = with_levels(4);
  const Inputs in = tokens(*mechanism, 7, 4);
  NamedTensors file = {{"query", in.query}, {"key", in.key}, {"value", in.value}};
  for (const auto& [name, given] : in.extra) file[name] = given.tensor;
  ApplyRequest request{.mechanism = "log_linear", .causal = true};
  CHECK(worst_row_error(apply(request, file, "file").at("output"), mechanism->forward(in)) == 0);
  request.options = {{"level_count", 5}};
  CHECK_THROWS_WITH(apply(request, file, "file"),
                    ContainsSubstring("option 'level_count' must be 4 or left out, got 5"));
}

TEST_CASE("states of levels go with the position: without it a file of them is refused") {
  torch::NoGradGuard no_grad;
  const auto mechanism = with_levels(6);
  const Inputs in = tokens(*mechanism, 25, 6);
  const Tensor whole = mechanism->forward(in);
  const auto state = mechanism->new_state();
  mechanism->forward(in.narrow(0, 11), *state);
  const Inputs rest = in.narrow(11, 14);
  NamedTensors file = {{"query", rest.query}, {"key", rest.key}, {"value", rest.value}};
  for (const auto& [name, given] : rest.extra) file[name] = given.tensor;
  file["initial_state_levels"] = state->tensors().at(0);
  const ApplyRequest request{.mechanism = "log_linear", .causal = true};
  CHECK_THROWS_WITH(apply(request, file, "file"),
                    ContainsSubstring("'initial_state_position' is missing"));
  file["initial_state_position"] = torch::tensor(11, torch::kLong);
  CHECK(worst_row_error(apply(request, file, "file").at("output"), whole.narrow(2, 11, 14)) <
        1e-13);
}
