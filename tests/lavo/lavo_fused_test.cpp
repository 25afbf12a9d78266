// SPDX-License-Identifier: MIT
#include <ATen/Parallel.h>

#include "experiments/harness/measure/memory.h"
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

/// Gives a layer's input and projections for the context memory; the mechanism's parameters agree
/// with it.
void add_layer(Inputs& in, const Shape& shape, int64_t model, torch::ScalarType type) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(21);
  const auto draw = [&](at::IntArrayRef sizes, double scale, double mean) {
    return (torch::randn(sizes, generator, torch::kFloat32) * scale + mean).to(type);
  };
  in.extra["tokens"] = {draw({shape.B, shape.S, model}, 1, 1), "BSM"};
  in.extra["key_weight"] = {draw({shape.H, model, shape.D}, 0.3, 0), "HMD"};
  in.extra["value_weight"] = {draw({shape.H, model, shape.D}, 0.3, 0), "HME"};
}

std::shared_ptr<Mechanism> context_lavo(json options, const Shape& shape, int64_t model,
                                        torch::ScalarType type) {
  options["memory"] = "context";
  const Setting setting{.heads = shape.H,
                        .head_dim = shape.D,
                        .value_dim = shape.D,
                        .model_dim = model,
                        .causal = true};
  const auto mechanism = find_mechanism("lavo").create(options, setting, 3);
  disturb_parameters(*mechanism, 3);
  mechanism->to(type);
  return mechanism;
}

/// Gradients of a weighted sum of the outputs, by name.
std::vector<std::pair<std::string, Tensor>> gradients(Mechanism& mechanism, const Inputs& given,
                                                      uint64_t seed) {
  Inputs in = given;
  in.each([](Tensor& x) { x = x.detach().requires_grad_(); });
  mechanism.zero_grad();
  const Tensor out = mechanism.forward(in);
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  const Tensor weight = torch::randn(out.sizes(), generator, torch::kFloat32).to(out.options());
  out.backward(weight);
  std::vector<std::pair<std::string, Tensor>> result;
  in.each([&](const std::string& name, Tensor& x, const std::string&) {
    result.emplace_back(name, x.grad());
  });
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

template <class Make>
void compare_gradients(const Make& make, const Inputs& wide,
                       const std::vector<std::pair<std::string, Tensor>>& expected) {
  for (const auto type : {torch::kFloat64, torch::kFloat32}) {
    const auto mechanism = make(type);
    const Inputs in = wide.to(type);
    const auto actual = gradients(*mechanism, in, 9);
    CHECK(mechanism->is_fused());
    for (size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(in.query.size(2), in.causal, in.key_mask.defined(), toString(type),
              expected[i].first);
      // Sums of up to 64 terms before a softmax's differences, thousands of tokens after it.
      CHECK(error_of(actual[i].second, expected[i].second) <=
            (type == torch::kFloat64 ? 1e-11 : 2e-5));
    }
  }
}

/// Fused gradients in every type and instruction set against the composed form's in float64.
template <class Make>
void check_gradients(const Make& make, const Inputs& wide) {
  const auto exact = make(torch::kFloat64);
  exact->use(Implementation::kComposed);
  const auto expected = gradients(*exact, wide, 9);
  for (const cpu::Isa isa : available_isas()) {
    const WithIsa with(isa);
    compare_gradients(make, wide, expected);
  }
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
  const bool causal = GENERATE(true, false), padding = GENERATE(false, true);
  for (const json& options :
       std::vector<json>{{{"memory", "shared"}, {"bases_train", "free"}, {"mix", "learned"}},
                         {{"memory", "key_value"}, {"bases_train", "free"}, {"bases", 70}},
                         {{"memory", "key_value"}, {"window", 5}, {"look_back", 2}},
                         {{"memory", "shared"}, {"window", 100}, {"global_scale", "rows"}},
                         {{"memory", "shared"}, {"dissect", false}}}) {
    for (const int64_t T : {1, 17, 130}) {
      check_gradients(
          [&](torch::ScalarType type) {
            return lavo_of(options, shape_of(T, 24), causal, false, type);
          },
          random_inputs(shape_of(T, 24), torch::kFloat64, 5,
                        {.causal = causal, .padding = padding}));
    }
  }
}

TEST_CASE("the same across the edges of chunks, with decay, and with the context memory") {
  const bool padding = GENERATE(false, true);
  const Shape shape{.B = 1, .H = 2, .T = 2500, .S = 2500, .D = 16, .E = 16};
  const Inputs in = random_inputs(shape, torch::kFloat64, 5, {.causal = true, .padding = padding});
  for (const json& options :
       std::vector<json>{{{"memory", "key_value"}, {"bases", 16}, {"bases_train", "free"}},
                         {{"memory", "shared"}, {"bases", 16}, {"decay", "multiscale"}}}) {
    check_gradients(
        [&](torch::ScalarType type) { return lavo_of(options, shape, true, false, type); }, in);
  }
  const Shape small{.B = 2, .H = 3, .T = 100, .S = 100, .D = 16, .E = 16};
  for (const json& options : std::vector<json>{{{"bases_train", "free"}}, {{"decay", 0.9}}}) {
    for (const bool causal : {true, false}) {
      if (!causal && options.contains("decay")) continue;
      Inputs layer =
          random_inputs(small, torch::kFloat64, 5, {.causal = causal, .padding = padding});
      add_layer(layer, small, 40, torch::kFloat64);
      check_gradients(
          [&](torch::ScalarType type) { return context_lavo(options, small, 40, type); }, layer);
    }
  }
}

TEST_CASE("16-bit tokens cost no more than the rounding of inputs and outputs") {
  torch::NoGradGuard no_grad;
  const WithIsa with(GENERATE(from_range(available_isas())));
  const auto type = GENERATE(torch::kBFloat16, torch::kFloat16);
  const Shape shape = shape_of(500, 64);
  const auto mechanism = lavo_of({{"memory", "key_value"}}, shape, true, false, type);
  const Inputs in = random_inputs(shape, type, 5, {.causal = true});
  const Tensor expected = mechanism->reference(in, all_rows(shape.T));
  // Everything between is in float32: the result is rounded once.
  const double roundoff = type == torch::kBFloat16 ? 0x1p-8 : 0x1p-11;
  CHECK(worst_row_error(mechanism->forward(in), expected) <= 1.01 * roundoff + 5e-6);
}

TEST_CASE("no bit depends on the layout of tokens or on the number of threads") {
  const Shape shape{.B = 2, .H = 3, .T = 4500, .S = 4500, .D = 16, .E = 16};
  const auto mechanism = lavo_of({{"memory", "key_value"}, {"bases", 16}, {"bases_train", "free"}},
                                 shape, true, false, torch::kFloat32);
  const Inputs in = random_inputs(shape, torch::kFloat32, 5, {.causal = true, .padding = true});
  Inputs transposed = in;  // [batch, tokens, heads, width] in memory
  for (Tensor* x : {&transposed.query, &transposed.key, &transposed.value}) {
    *x = x->transpose(1, 2).contiguous().transpose(1, 2);
  }
  CHECK(mechanism->forward(transposed).strides() == transposed.query.strides());
  const Tensor out = mechanism->forward(in);
  const auto expected = gradients(*mechanism, in, 9);
  const int threads = at::get_num_threads();
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    for (const Inputs& same : {in, transposed}) {
      CHECK(torch::equal(mechanism->forward(same), out));
      const auto actual = gradients(*mechanism, same, 9);
      for (size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(expected[i].first, count);
        CHECK(torch::equal(actual[i].second, expected[i].second));
      }
    }
  }
  at::set_num_threads(threads);
}

TEST_CASE("a call holds its output, a backward pass the gradients, and little else") {
  count_cpu_memory();
  const Shape shape{.B = 1, .H = 4, .T = 4096, .S = 4096, .D = 64, .E = 64};
  for (const char* memory : {"shared", "key_value"}) {
    const auto mechanism =
        lavo_of({{"memory", memory}, {"bases_train", "free"}}, shape, true, false, torch::kFloat32);
    Inputs in = random_inputs(shape, torch::kFloat32, 5, {.causal = true});
    const auto size = static_cast<double>(shape.output_bytes());
    {
      torch::NoGradGuard no_grad;
      const PeakMemory peak(torch::kCPU);
      mechanism->forward(in);
      CHECK(static_cast<double>(peak.bytes()) <= size + (1 << 20));
    }
    for (Tensor* x : {&in.query, &in.key, &in.value}) x->requires_grad_();
    const Tensor weight = torch::ones_like(in.query);
    const PeakMemory peak(torch::kCPU);
    mechanism->forward(in).backward(weight);
    CHECK(static_cast<double>(peak.bytes()) <= 1.05 * 4 * size);
    const Cost cost = mechanism->cost(shape, Pattern::kCausalSelf);
    CHECK(std::abs(static_cast<double>(peak.bytes()) / cost.backward_memory_bytes - 1) <= 0.05);
  }
}

TEST_CASE("a state holds what its cost says") {
  torch::NoGradGuard no_grad;
  const Shape shape{.B = 2, .H = 3, .T = 70, .S = 70, .D = 16, .E = 16};
  for (const json& options : std::vector<json>{{{"memory", "shared"}},
                                               {{"memory", "key_value"}, {"look_back", 1}},
                                               {{"memory", "shared"}, {"decay", "multiscale"}},
                                               {{"memory", "key_value"}, {"decay", 0.5}},
                                               {{"memory", "shared"}, {"mix", 1.0}},
                                               {{"memory", "shared"}, {"dissect", false}}}) {
    for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
      for (const bool composed : {false, true}) {
        const auto mechanism = lavo_of(options, shape, true, false, type);
        if (composed) mechanism->use(Implementation::kComposed);
        const auto state = mechanism->new_state();
        mechanism->forward(random_inputs(shape, type, 5, {.causal = true}), *state);
        Shape sized = shape;
        sized.element_bytes = static_cast<int64_t>(torch::elementSize(type));
        CAPTURE(options.dump(), composed, toString(type));
        CHECK(mechanism->is_fused() == !composed);
        CHECK(static_cast<double>(state->bytes()) ==
              mechanism->cost(sized, Pattern::kCausalSelf).state_bytes);
      }
    }
  }
}
