// SPDX-License-Identifier: MIT
#include "baselines/table.h"
#include "lavo/core/problem.h"
#include "tests/support/catch.h"

using namespace lavo;

TEST_CASE("without a window an output is the memory's values by the weights that inspect tells") {
  const Shape shape{.B = 2, .H = 2, .T = 19, .S = 19, .D = 8, .E = 8};
  for (const char* memory : {"shared", "key_value"}) {
    for (const bool causal : {false, true}) {
      const Setting setting{.heads = 2, .head_dim = 8, .value_dim = 8, .causal = causal};
      const auto mechanism =
          make_mechanism("lavo", {{"bases", 5}, {"dissect", false}, {"memory", memory}}, setting,
                         /*seed=*/2, torch::kFloat64);
      const Inputs in =
          random_inputs(shape, torch::kFloat64, 3, {.causal = causal, .padding = true});
      const Tensor expected = mechanism->reference(in, {4, 18});
      int64_t i = 0;
      for (const int64_t row : {4, 18}) {
        CAPTURE(memory, causal, row);
        const auto view = mechanism->inspect(in, row);
        REQUIRE(view);
        CHECK(view->weight_BHR.sum(-1).allclose(torch::ones({2, 2}, torch::kFloat64)));
        const Tensor read = torch::matmul(view->weight_BHR.unsqueeze(2), view->value_BHRE);
        CHECK(worst_row_error(read, expected.narrow(2, i++, 1)) < 1e-12);
      }
    }
  }
  CHECK_FALSE(make_mechanism("linear", json::object(), {}, 0)
                  ->inspect(random_inputs(shape, torch::kFloat64, 3), 4));
}
