// SPDX-License-Identifier: MIT
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

/// Gradients of forward against those of the reference, which stop where the mathematics says that
/// they stop (a stabiliser's maximum).
void check_gradients(const Variant& variant, Pattern pattern, bool padding) {
  const bool causal = pattern == Pattern::kCausalSelf || pattern == Pattern::kCausalCross;
  const bool cross = pattern == Pattern::kNoncausalCross || pattern == Pattern::kCausalCross;
  const Shape shape = small_shape(*variant.entry, 13, 13);
  const auto mechanism = variant.create(shape, causal, cross, torch::kFloat64);
  if (!mechanism || !variant.includes(pattern)) return;
  Inputs in = random_inputs(shape, torch::kFloat64, 5,
                            {.causal = causal, .cross = cross, .padding = padding});
  CAPTURE(variant.name(), pattern_name(pattern), padding);
  if (refuses(*mechanism, in)) return;
  std::vector<std::pair<std::string, Tensor>> leaves = {
      {"query", in.query}, {"key", in.key}, {"value", in.value}};
  for (const auto& item : mechanism->named_parameters())
    leaves.emplace_back(item.key(), item.value());
  for (auto& [name, leaf] : leaves) leaf.requires_grad_();

  auto generator = torch::make_generator<at::CPUGeneratorImpl>(11);
  const Tensor out = mechanism->forward(in);
  const Tensor weight = torch::randn(out.sizes(), generator, out.options());
  (out * weight).sum().backward();

  std::vector<Tensor> actual;
  for (auto& [name, leaf] : leaves) {
    actual.push_back(leaf.grad().defined() ? leaf.grad().clone() : torch::zeros_like(leaf));
    leaf.mutable_grad() = Tensor();
  }
  (mechanism->reference(in, all_rows(shape.T)) * weight).sum().backward();
  for (size_t i = 0; i < leaves.size(); ++i) {
    const auto& [name, leaf] = leaves[i];
    CAPTURE(name);
    const Tensor expected = leaf.grad().defined() ? leaf.grad() : torch::zeros_like(leaf);
    // Two ways to the same float64 numbers: they differ by roundings, which a pseudoinverse or an
    // exponential makes larger, never by 1e-9.
    CHECK((actual[i] - expected).norm().item<double>() <=
          1e-9 * (expected.norm().item<double>() + 1));
  }
}

}  // namespace

TEST_CASE("gradients are those of the reference") {
  const bool padding = GENERATE(false, true);
  for (const Variant& variant : variants()) {
    for (const Pattern pattern : kPatterns) check_gradients(variant, pattern, padding);
  }
}
