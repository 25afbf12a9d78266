// SPDX-License-Identifier: MIT
#include "lavo/lavo.h"
#include "tests/support/catch.h"
#include "tests/support/isas.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

const std::vector<int64_t> kLengths = {1, 2, 15, 16, 17, 63, 65, 130, 1000};

std::shared_ptr<Mechanism> lavo_of(const json& options, const Shape& shape, bool causal, bool cross,
                                   torch::ScalarType type) {
  const Variant variant{&find_mechanism("lavo"), options};
  const auto mechanism = variant.create(shape, causal, cross, type);
  REQUIRE(mechanism);
  return mechanism;
}

Shape shape_of(int64_t T, int64_t D) { return {.B = 2, .H = 3, .T = T, .S = T, .D = D, .E = D}; }

/// Gradients of a weighted sum of the outputs, by name.
std::vector<std::pair<std::string, Tensor>> gradients(Mechanism& mechanism, Inputs in,
                                                      uint64_t seed) {
  for (Tensor* x : {&in.query, &in.key, &in.value}) *x = x->detach().requires_grad_();
  mechanism.zero_grad();
  const Tensor out = mechanism.forward(in);
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  const Tensor weight = torch::randn(out.sizes(), generator, torch::kFloat32).to(out.options());
  out.backward(weight);
  std::vector<std::pair<std::string, Tensor>> result = {
      {"query", in.query.grad()}, {"key", in.key.grad()}, {"value", in.value.grad()}};
  for (const auto& item : mechanism.named_parameters()) {
    result.emplace_back(item.key(), item.value().grad());
  }
  for (auto& [name, x] : result) {
    if (!x.defined()) x = torch::zeros({1});  // nothing depends on it
  }
  return result;
}

double error_of(const Tensor& actual, const Tensor& expected) {
  const Tensor wide = actual.to(torch::kFloat64);
  return (wide - expected).norm().item<double>() / (expected.norm().item<double>() + 1e-30);
}

}  // namespace

TEST_CASE("the fused forward is within its bound of the float64 reference, at odd lengths") {
  torch::NoGradGuard no_grad;
  const WithIsa with(GENERATE(from_range(available_isas())));
  for (const char* memory : {"shared", "key_value"}) {
    for (const int64_t T : kLengths) {
      const Shape shape = shape_of(T, 64);
      const auto mechanism = lavo_of({{"memory", memory}}, shape, true, false, torch::kFloat32);
      const Inputs in = random_inputs(shape, torch::kFloat32, 5, {.causal = true});
      const Tensor out = mechanism->forward(in);
      CAPTURE(memory, T);
      CHECK(mechanism->is_fused());
      CHECK(worst_row_error(out, mechanism->reference(in, check_rows(T, T, 16, 1))) <= 5e-6);
    }
  }
}

TEST_CASE("fused gradients are those of the composed form in float64") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const bool causal = GENERATE(true, false), padding = GENERATE(false, true);
  for (const json& options :
       std::vector<json>{{{"memory", "shared"}, {"bases_train", "free"}, {"mix", "learned"}},
                         {{"memory", "key_value"}, {"bases_train", "free"}, {"bases", 70}},
                         {{"memory", "key_value"}, {"window", 5}, {"look_back", 2}},
                         {{"memory", "shared"}, {"window", 100}, {"global_scale", "rows"}},
                         {{"memory", "shared"}, {"dissect", false}}}) {
    for (const int64_t T : {1, 17, 130, 300}) {
      const Shape shape = shape_of(T, 24);
      const auto exact = lavo_of(options, shape, causal, false, torch::kFloat64);
      exact->use_composed();
      const Inputs wide =
          random_inputs(shape, torch::kFloat64, 5, {.causal = causal, .padding = padding});
      const auto expected = gradients(*exact, wide, 9);
      for (const auto type : {torch::kFloat64, torch::kFloat32}) {
        const auto mechanism = lavo_of(options, shape, causal, false, type);
        Inputs in = wide;
        for (Tensor* x : {&in.query, &in.key, &in.value}) *x = x->to(type);
        const auto actual = gradients(*mechanism, in, 9);
        CHECK(mechanism->is_fused());
        for (size_t i = 0; i < expected.size(); ++i) {
          CAPTURE(options.dump(), T, causal, padding, toString(type), expected[i].first);
          CHECK(error_of(actual[i].second, expected[i].second) <=
                (type == torch::kFloat64 ? 1e-11 : 2e-5));
        }
      }
    }
  }
}
