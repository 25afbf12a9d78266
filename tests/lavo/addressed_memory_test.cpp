// SPDX-License-Identifier: MIT
// What the conformance tests do not ask of memories whose bases are addresses.
#include "lavo/addressed_memory.h"

#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "baselines/table.h"
#include "lavo/bases.h"
#include "lavo/core/check.h"
#include "lavo/core/problem.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

constexpr Shape kAddressShape{.B = 2, .H = 2, .T = 150, .S = 150, .D = 8, .E = 8};

Setting address_setting(bool causal) {
  return {.heads = 2, .head_dim = 8, .value_dim = 8, .causal = causal};
}

std::shared_ptr<Mechanism> make_lavo(const json& options, bool causal = true) {
  json all = {{"bases", 6}, {"dissect", false}};
  all.update(options);
  return make_mechanism("lavo", all, address_setting(causal), 3, torch::kFloat64);
}

std::string why_not(const json& options, bool causal = true) {
  try {
    make_lavo(options, causal);
  } catch (const OptionError& error) {
    return error.what();
  }
  return "nothing was refused";
}

Tensor length_one(const Tensor& x) { return x / x.norm(2, -1, /*keepdim=*/true); }

}  // namespace

TEST_CASE("slots without a window are abc with logits by the bases, values and gradients") {
  const double tau = 2.5;
  for (const bool unit : {false, true}) {
    for (const bool causal : {true, false}) {
      CAPTURE(unit, causal);
      const auto slots =
          make_lavo({{"memory", "slots"}, {"temperature", tau}, {"unit", unit}}, causal);
      const auto abc =
          make_mechanism("abc", {{"slot_count", 6}}, address_setting(causal), 0, torch::kFloat64);
      const Inputs in = random_inputs(*slots, kAddressShape, torch::kFloat64, 5, {.causal = causal},
                                      json::object())
                            .leaves();
      Inputs same = in;
      if (unit) {
        same.key = length_one(in.key);
        same.query = length_one(in.query) * (tau * std::sqrt(8.0));
      }
      const Tensor bases = slots->named_buffers()["bases"];
      same.set(abc->inputs().at(0), tau * torch::matmul(same.key, bases.t()));
      const Tensor out = slots->forward(in), expected = abc->forward(same);
      CHECK((out - expected).abs().max().item<double>() < 1e-12);
      const std::vector<Tensor> leaves = {in.query, in.key, in.value};
      const Tensor weight = torch::arange(out.numel(), out.options()).view(out.sizes()).sin();
      const auto a = torch::autograd::grad({out}, leaves, {weight});
      const auto b = torch::autograd::grad({expected}, leaves, {weight});
      for (size_t i = 0; i < leaves.size(); ++i) {
        CHECK((a[i] - b[i]).abs().max().item<double>() <
              1e-12 * std::max(1.0, b[i].abs().max().item<double>()));
      }
    }
  }
}

TEST_CASE(
    "the default temperature is 1, or sqrt(D) for unit vectors, and a learned one starts there") {
  for (const auto& [unit, tau] : {std::pair{false, 1.0}, {true, std::sqrt(8.0)}}) {
    const json given = {{"memory", "slots"}, {"unit", unit}};
    CHECK(find_mechanism("lavo").resolve(given, address_setting(true)).at("temperature") ==
          Approx(tau));
    json learned = given;
    learned["temperature"] = "learned";
    const auto mechanism = make_lavo(learned);
    const Tensor at_first = mechanism->named_parameters()["temperature"];
    CHECK((at_first - tau).abs().max().item<double>() < 1e-12);
    CHECK(find_mechanism("lavo").resolve(learned, address_setting(true)).at("temperature") ==
          "learned");
  }
}

TEST_CASE("the memory that inspect shows gives the output") {
  for (const json& options : {json{{"memory", "slots"}, {"unit", true}, {"decay", "multiscale"}},
                              json{{"memory", "address"}, {"slot_gate", true}}}) {
    const auto mechanism = make_lavo(options);
    const Inputs in = random_inputs(*mechanism, kAddressShape, torch::kFloat64, 5,
                                    {.causal = true, .padding = true}, {{"bases", 6}});
    for (const int64_t row : {0, 70, 149}) {
      CAPTURE(options.dump(), row);
      const auto view = mechanism->inspect(in, row);
      REQUIRE(view);
      const Tensor read = (view->weight_BHR.unsqueeze(3) * view->value_BHRE).sum(2);
      const Tensor expected = mechanism->reference(in, {row}).squeeze(2);
      CHECK((read - expected).abs().max().item<double>() < 1e-11);
    }
  }
}

TEST_CASE("what makes no sense of addresses is refused, with the option that is wrong") {
  CHECK_THAT(why_not({{"unit", true}}), ContainsSubstring("option 'unit'"));
  CHECK_THAT(why_not({{"temperature", 2}, {"memory", "shared"}}),
             ContainsSubstring("option 'temperature'"));
  CHECK_THAT(why_not({{"slot_gate", true}}), ContainsSubstring("option 'slot_gate'"));
  CHECK_THAT(why_not({{"memory", "slots"}, {"write", "sum"}}), ContainsSubstring("option 'write'"));
  CHECK_THAT(why_not({{"memory", "address"}, {"global_scale", "rows"}}),
             ContainsSubstring("option 'global_scale'"));
  CHECK_THAT(why_not({{"memory", "slots"}, {"temperature", 0}}), ContainsSubstring("temperature"));
  for (const json& options : {json{{"memory", "slots"}, {"slot_gate", true}},
                              json{{"memory", "address"}, {"write", "delta"}},
                              json{{"memory", "address"}, {"decay", 0.5}}}) {
    CHECK(make_lavo(options)->patterns().include(Pattern::kCausalSelf));
    CHECK_FALSE(make_lavo(options)->patterns().include(Pattern::kNoncausalSelf));
  }
}

TEST_CASE("rows on the sphere have length 1 and are not orthogonal") {
  auto generator = make_generator(1);
  const Tensor rows = make_bases(BasesInit::kSphere, 6, 8, generator);
  const Tensor products = torch::matmul(rows, rows.t());
  CHECK((products.diagonal() - 1).abs().max().item<double>() < 1e-12);
  CHECK((products - torch::eye(6, torch::kFloat64)).abs().max().item<double>() > 0.1);
}
