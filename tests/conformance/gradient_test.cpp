// SPDX-License-Identifier: MIT
#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

/// A stabiliser's maximum is detached by definition. With epsilon 0 it cancels and so does its
/// gradient; otherwise differences see it where the gradient must not.
bool has_stabilizer(const Entry& entry) {
  return std::ranges::find(entry.options, "stabilizer", &OptionInfo::name) != entry.options.end();
}

/// Central differences of the reference along random directions against the gradients of forward.
void check_gradients(const Variant& variant, Pattern pattern, bool padding) {
  const bool causal = pattern == Pattern::kCausalSelf || pattern == Pattern::kCausalCross;
  const bool cross = pattern == Pattern::kNoncausalCross || pattern == Pattern::kCausalCross;
  const Shape shape = small_shape(*variant.entry, 13, 13);
  const auto mechanism = variant.create(shape, causal, cross, torch::kFloat64);
  if (!mechanism || !variant.includes(pattern)) return;
  const bool seen = variant.options.value("epsilon", 0.0) != 0 ||
                    variant.options.value("key_sum_epsilon", 0.0) != 0;
  if (seen && has_stabilizer(*variant.entry)) return;
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

  const auto loss = [&] {
    return (mechanism->reference(in, all_rows(shape.T)) * weight).sum().item<double>();
  };
  torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  for (auto& [name, leaf] : leaves) {
    CAPTURE(name);
    const Tensor direction = torch::randn(leaf.sizes(), generator, leaf.options());
    const Tensor start = leaf.clone();
    leaf.copy_(start + kStep * direction);
    const double above = loss();
    leaf.copy_(start - kStep * direction);
    const double below = loss();
    leaf.copy_(start);
    const double expected = (above - below) / (2 * kStep);
    const double actual =
        leaf.grad().defined() ? (leaf.grad() * direction).sum().item<double>() : 0.0;
    // Differences of a loss of size L round at L eps / step = 1e-9 L or so, and miss step^2.
    const double scale = std::abs(expected) + std::abs(above) + 1;
    CHECK(std::abs(actual - expected) <= 1e-6 * scale);
  }
}

}  // namespace

TEST_CASE("gradients are those of the reference") {
  const bool padding = GENERATE(false, true);
  for (Variant variant : variants()) {
    if (has_stabilizer(*variant.entry) && !variant.options.contains("epsilon")) {
      variant.options["epsilon"] = 0;
    }
    for (const Pattern pattern : kPatterns) check_gradients(variant, pattern, padding);
  }
}
