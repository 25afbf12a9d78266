// SPDX-License-Identifier: MIT
// lavo::attend without value_bases: key_bases serve for both.
#include <torch/torch.h>

#include "lavo/operators/attend_call.h"
#include "tests/support/catch.h"

namespace lavo {
namespace {

using torch::Tensor;

AttendInputs one_bases_inputs(const std::string& memory) {
  torch::manual_seed(5);
  const auto draw = [](at::IntArrayRef sizes) {
    return torch::randn(sizes, torch::kDouble).requires_grad_();
  };
  AttendInputs in{.query = draw({2, 3, 21, 8}),
                  .key = draw({2, 3, 21, 8}),
                  .value = draw({2, 3, 21, 8}),
                  .weights = draw({2, 3}),
                  .key_bases = draw({3, 5, 8}),
                  .bias = draw({3, 7}),
                  .memory = memory,
                  .window = 4,
                  .causal = true};
  if (memory == "projected") in.projected = draw({2, 21, 5});
  return in;
}

}  // namespace

TEST_CASE("attend without value_bases is attend with key_bases for both, in gradients too") {
  const std::string memory = GENERATE("shared", "key_value", "projected");
  CAPTURE(memory);
  const AttendInputs one = one_bases_inputs(memory);
  const Tensor output = attend(one), upstream = torch::randn_like(output);
  const Tensor got =
      torch::autograd::grad({output}, {one.key_bases}, {upstream}, /*retain_graph=*/false)[0];

  AttendInputs two = one_bases_inputs(memory);
  two.value_bases = two.key_bases.detach().clone().requires_grad_();
  const Tensor expected = attend(two);
  const auto apart =
      torch::autograd::grad({expected}, {two.key_bases, two.value_bases}, {upstream});
  CHECK(torch::equal(output, expected));
  CHECK(apart[1].abs().max().item<double>() > 0);
  CHECK(torch::equal(got, apart[0] + apart[1]));
}

TEST_CASE("bases given once are one whatever is unpacked of them, and given twice as they lie") {
  AttendInputs in = one_bases_inputs("shared");
  CHECK(facts_of(in).one_bases);
  in.key_bases = in.key_bases.clone();  // as hooks of saved tensors give it back
  CHECK(facts_of(in).one_bases);
  in.value_bases = in.key_bases;
  CHECK(facts_of(in).one_bases);
  in.value_bases = in.value_bases.clone();
  CHECK_FALSE(facts_of(in).one_bases);
}

TEST_CASE("no kernel for a GPU takes bases that differ without a projection") {
  AttendFacts facts{.device = torch::kCUDA,
                    .type = torch::kBFloat16,
                    .T = 64,
                    .S = 64,
                    .memory = "shared",
                    .window = 16,
                    .causal = true};
  CHECK(attend_refusal(facts).empty());
  facts.one_bases = false;
  CHECK_THAT(attend_refusal(facts), ContainsSubstring("differ only with memory 'projected'"));
}

}  // namespace lavo
