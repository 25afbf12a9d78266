// SPDX-License-Identifier: MIT
#include "baselines/local.h"

#include "baselines/table.h"
#include "lavo/core/pieces.h"
#include "lavo/core/problem.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

std::shared_ptr<Mechanism> local(const json& options) {
  const auto mechanism =
      make_mechanism("local", options, {.heads = 2, .head_dim = 8, .value_dim = 5, .causal = true},
                     0, torch::kFloat64);
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(9);
  torch::NoGradGuard no_grad;
  for (Tensor& p : mechanism->parameters()) p.normal_(0, 1, generator);  // it starts as zeros
  return mechanism;
}

Inputs local_inputs(int64_t T, bool causal, bool padding) {
  return random_inputs({.B = 2, .H = 2, .T = T, .S = T, .D = 8, .E = 5}, torch::kFloat64, 5,
                       {.causal = causal, .padding = padding});
}

struct Geometry {
  int64_t window, look_back, length;
};

// Whole blocks and ragged ones, no past and more past than there is, and windows too wide to be
// batched.
const std::vector<Geometry> kGeometries = {{4, 0, 22}, {4, 1, 22},    {4, 3, 24},
                                           {1, 0, 5},  {1, 2, 7},     {16, 1, 9},
                                           {5, 9, 23}, {300, 0, 310}, {257, 1, 300}};

}  // namespace

TEST_CASE("blocks, look-back and bias agree with the reference") {
  const auto g = GENERATE(from_range(kGeometries));
  const bool causal = GENERATE(false, true), padding = GENERATE(false, true);
  const auto* position = GENERATE("relative", "none");
  CAPTURE(g.window, g.look_back, g.length, causal, padding, position);
  const auto mechanism =
      local({{"window", g.window}, {"look_back", g.look_back}, {"position", position}});
  const Inputs in = local_inputs(g.length, causal, padding);
  const std::vector<int64_t> rows = check_rows(g.length, 24, g.window, 1);
  const Tensor output = mechanism->forward(in).index_select(2, torch::tensor(rows, torch::kLong));
  CHECK(worst_row_error(output, mechanism->reference(in, rows)) < 1e-13);
}

TEST_CASE("any cutting of a stream gives the whole") {
  const auto g = GENERATE(from_range(kGeometries));
  const bool padding = GENERATE(false, true);
  const auto pieces =
      GENERATE(std::vector<int64_t>{1}, std::vector<int64_t>{7, 1, 2}, std::vector<int64_t>{64});
  CAPTURE(g.window, g.look_back, g.length, padding, pieces);
  const auto mechanism = local({{"window", g.window}, {"look_back", g.look_back}});
  const Inputs in = local_inputs(g.length, true, padding);
  const auto state = mechanism->new_state();
  Pieces outputs(g.length);
  int64_t most = 0;
  for (int64_t t = 0, i = 0; t < g.length; ++i) {
    const int64_t count = std::min(pieces[static_cast<size_t>(i) % pieces.size()], g.length - t);
    Inputs piece = in;
    for (Tensor* x : {&piece.query, &piece.key, &piece.value}) *x = x->narrow(2, t, count);
    if (padding) piece.key_mask = in.key_mask.narrow(1, t, count);
    outputs.add(mechanism->forward(piece, *state));
    most = std::max(most, state->bytes());
    t += count;
  }
  CHECK(worst_row_error(outputs.result(), mechanism->forward(in)) < 1e-13);
  const int64_t token_bytes = 2 * 2 * (8 + 5) * 8 + (padding ? 2 : 0);
  CHECK(most <= token_bytes * g.window * (g.look_back + 1));
}
