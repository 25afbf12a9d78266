// SPDX-License-Identifier: MIT
// Both forms of causal linear, performer and cosformer. The conformance tests take the fused one,
// which is the default.
#include "lavo/parts/feature_attention.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "experiments/harness/measure/memory.h"
#include "tests/support/catch.h"
#include "tests/support/isas.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

/// Mechanisms by features, whose fused form is causal self attention alone.
bool is_by_features(const Variant& variant) {
  return std::string_view(variant.entry->facts.fused_calls).starts_with("causal self");
}

/// With every choice of their options.
std::vector<Variant> feature_variants() {
  std::vector<Variant> result;
  for (const Variant& variant : variants()) {
    if (is_by_features(variant) && variant.implementation == Implementation::kFused) {
      result.push_back(variant);
    }
  }
  REQUIRE(result.size() >= 3);
  return result;
}

/// Null where the options are refused for this use.
std::shared_ptr<Mechanism> create(const Variant& variant, const Shape& shape,
                                  torch::ScalarType type, bool composed) {
  const auto mechanism = variant.create(shape, true, false, type);
  if (mechanism && composed) mechanism->use(Implementation::kComposed);
  return mechanism;
}

std::vector<Tensor> feature_gradients(Mechanism& mechanism, Inputs in) {
  std::vector<Tensor> leaves;
  for (Tensor* x : {&in.query, &in.key, &in.value}) {
    *x = x->detach().requires_grad_();
    leaves.push_back(*x);
  }
  const Tensor out = mechanism.forward(in);
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(9);
  const Tensor weight = torch::randn(out.sizes(), generator, torch::kFloat32).to(out.options());
  return torch::autograd::grad({out}, leaves, {weight});
}

Inputs in_type(Inputs in, torch::ScalarType type) {
  for (Tensor* x : {&in.query, &in.key, &in.value}) *x = x->to(type);
  return in;
}

}  // namespace

TEST_CASE("the fused form covers causal self attention, and both forms agree with the reference") {
  torch::NoGradGuard no_grad;
  const bool composed = GENERATE(false, true), padding = GENERATE(false, true);
  const auto type = GENERATE(torch::kFloat64, torch::kFloat32, torch::kBFloat16);
  for (const Variant& variant : feature_variants()) {
    for (const int64_t T : {1, 2, 7, 63, 65, 130, 300}) {
      const Shape shape = small_shape(*variant.entry, T, T);
      const auto mechanism = create(variant, shape, type, composed);
      if (!mechanism) continue;
      const Inputs in = random_inputs(shape, type, 7, {.causal = true, .padding = padding});
      CAPTURE(variant.name(), toString(type), T, padding, composed);
      const Tensor out = mechanism->forward(in);
      CHECK(mechanism->is_fused() == !composed);
      CHECK(worst_row_error(out, mechanism->reference(in, all_rows(T))) <= tolerance(type, T + 64));
    }
    const auto whole = variant.create(small_shape(*variant.entry, 9, 9), false, false, type);
    if (!whole) continue;
    whole->forward(random_inputs(small_shape(*variant.entry, 9, 9), type, 7));
    CHECK_FALSE(whole->is_fused());
  }
}

TEST_CASE("fused gradients of every option are those of the composed form in float64") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const bool padding = GENERATE(false, true);
  for (const Variant& variant : feature_variants()) {
    for (const int64_t T : {1, 65, 300}) {
      const Shape shape = small_shape(*variant.entry, T, T);
      const auto exact = create(variant, shape, torch::kFloat64, true);
      if (!exact) continue;
      const Inputs wide =
          random_inputs(shape, torch::kFloat64, 5, {.causal = true, .padding = padding});
      const auto expected = feature_gradients(*exact, wide);
      for (const auto type : {torch::kFloat64, torch::kFloat32}) {
        const auto mechanism = create(variant, shape, type, false);
        const auto actual = feature_gradients(*mechanism, in_type(wide, type));
        CHECK(mechanism->is_fused());
        for (size_t i = 0; i < expected.size(); ++i) {
          CAPTURE(variant.name(), T, padding, toString(type), i);
          const Tensor difference = actual[i].to(torch::kFloat64) - expected[i];
          // Differences of sums of up to 300 terms, in features and out of them again; of single
          // tokens all but the rounding cancels.
          const double bound = type == torch::kFloat64 ? 1e-11 : 2e-5;
          CHECK(difference.norm().item<double>() <=
                bound * (expected[i].norm().item<double>() + 1));
        }
      }
    }
  }
}

TEST_CASE("a stream may change its form, and no bit depends on the number of threads") {
  for (const Variant& variant : small_mechanisms()) {
    if (!is_by_features(variant)) continue;
    const Shape shape = small_shape(*variant.entry, 300, 300);
    const auto fused = create(variant, shape, torch::kFloat32, false);
    const auto composed = create(variant, shape, torch::kFloat32, true);
    const Inputs in = random_inputs(shape, torch::kFloat32, 4, {.causal = true});
    CAPTURE(variant.name());
    const auto expected = feature_gradients(*fused, in);
    const int threads = at::get_num_threads();
    for (const int count : {1, 3}) {
      at::set_num_threads(count);
      const auto actual = feature_gradients(*fused, in);
      for (size_t i = 0; i < expected.size(); ++i) CHECK(torch::equal(actual[i], expected[i]));
    }
    at::set_num_threads(threads);

    torch::NoGradGuard no_grad;
    const Tensor whole = fused->forward(in);
    const auto state = fused->new_state();
    std::vector<Tensor> pieces;
    for (int64_t t = 0; t < 300; t += 50) {
      Inputs piece = in;
      for (Tensor* x : {&piece.query, &piece.key, &piece.value}) *x = x->narrow(2, t, 50);
      pieces.push_back((t % 100 == 0 ? fused : composed)->forward(piece, *state));
    }
    CHECK(worst_row_error(torch::cat(pieces, 2), whole) <=
          2 * tolerance(torch::kFloat32, 300 + 64));
  }
}

TEST_CASE("terms that are all alike keep their digits through 2^17 tokens") {
  torch::NoGradGuard no_grad;
  constexpr int64_t T = int64_t{1} << 17;
  const int64_t step = GENERATE(1, 512, 1 << 17);
  const int64_t H = step == 1 ? 1 : GENERATE(1, 4);  // cut into segments, and not
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(4);
  const Tensor value = 1 + torch::rand({1, H, T, 3}, generator, torch::kFloat32);
  const Tensor features = torch::full({1, H, T, 2}, 0.1F);
  FeatureInputs in;
  in.sum = torch::zeros({1, H, 4, 2}, torch::kFloat64);
  std::vector<Tensor> outputs;
  for (int64_t t = 0; t < T; t += step) {
    in.query = in.key = features.narrow(2, t, step);
    in.value = value.narrow(2, t, step);
    const auto [output, sum] = attend_features(in);
    outputs.push_back(output);
    in.sum = sum;
  }
  const Tensor means =
      value.to(torch::kFloat64).cumsum(2) / torch::arange(1, T + 1, torch::kFloat64).view({T, 1});
  CHECK(worst_row_error(torch::cat(outputs, 2), means) <= 1e-5);
}

TEST_CASE("the fused form allocates less than the composed one, and what its cost predicts") {
  count_cpu_memory();
  const Shape shape{.B = 1, .H = 4, .T = 4096, .S = 4096, .D = 64, .E = 64};
  for (const char* name : {"linear", "performer", "cosformer"}) {
    const Variant variant{&find_mechanism(name), name == std::string("cosformer")
                                                     ? json{{"max_length", 4096}}
                                                     : json::object()};
    double peaks[2] = {};
    for (const bool composed : {false, true}) {
      const auto mechanism = create(variant, shape, torch::kFloat32, composed);
      Inputs in = random_inputs(shape, torch::kFloat32, 5, {.causal = true});
      for (Tensor* x : {&in.query, &in.key, &in.value}) x->requires_grad_();
      const Tensor weight = torch::ones_like(in.query);
      const PeakMemory peak(torch::kCPU);
      mechanism->forward(in).backward(weight);
      peaks[composed] = static_cast<double>(peak.bytes());
      const double predicted = mechanism->cost(shape, Pattern::kCausalSelf).backward_memory_bytes;
      CAPTURE(name, composed, peaks[composed], predicted);
      CHECK(peaks[composed] <= 1.25 * predicted);
      CHECK(peaks[composed] >= predicted / 1.5);
    }
    CHECK(peaks[0] < peaks[1]);
  }
}

TEST_CASE("token by token, 2^15 of them, states keep their digits in both forms") {
  torch::NoGradGuard no_grad;
  const bool composed = GENERATE(false, true);
  constexpr int64_t T = 1 << 15;
  const Variant linear{&find_mechanism("linear"), json::object()};
  const Shape shape{.B = 1, .H = 1, .T = T, .S = T, .D = 2, .E = 2};
  const auto mechanism = create(linear, shape, torch::kFloat32, composed);
  Inputs in = random_inputs(shape, torch::kFloat32, 3, {.causal = true});
  in.key = torch::full_like(in.key, 0.1);
  in.value = in.value.clamp(-0.1, 0.1) + 1;
  const auto state = mechanism->new_state();
  Tensor last;
  for (int64_t t = 0; t < T; ++t) {
    Inputs token = in;
    for (Tensor* x : {&token.query, &token.key, &token.value}) *x = x->narrow(2, t, 1);
    last = mechanism->forward(token, *state);
  }
  // Keys that are all alike: the mean of the values.
  const Tensor mean = in.value.to(torch::kFloat64).mean(2, /*keepdim=*/true);
  CHECK(worst_row_error(last, mean) <= 1e-6);
}
