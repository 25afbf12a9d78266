// SPDX-License-Identifier: MIT
#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

/// A stabiliser's maximum is detached by definition.
bool has_stabilizer(const Entry& entry) {
  return std::ranges::find(entry.options, "stabilizer", &OptionInfo::name) != entry.options.end();
}

using Leaves = std::vector<std::pair<std::string, Tensor>>;

std::vector<Tensor> take_gradients(const Leaves& leaves) {
  std::vector<Tensor> gradients;
  for (const auto& [name, leaf] : leaves) {
    gradients.push_back(leaf.grad().defined() ? leaf.grad().clone() : torch::zeros_like(leaf));
    leaf.mutable_grad() = Tensor();
  }
  return gradients;
}

/// Central differences of the reference along random directions.
void check_by_differences(const std::function<double()>& loss, const Leaves& leaves,
                          const std::vector<Tensor>& gradients, at::Generator& generator) {
  torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  for (size_t i = 0; i < leaves.size(); ++i) {
    Tensor leaf = leaves[i].second;
    CAPTURE(leaves[i].first);
    const Tensor direction = torch::randn(leaf.sizes(), generator, leaf.options());
    const Tensor start = leaf.clone();
    leaf.copy_(start + kStep * direction);
    const double above = loss();
    leaf.copy_(start - kStep * direction);
    const double below = loss();
    leaf.copy_(start);
    const double expected = (above - below) / (2 * kStep);
    const double actual = (gradients[i] * direction).sum().item<double>();
    // Differences of a loss of size L round at L eps / step = 1e-9 L or so, and miss step^2.
    const double scale = std::abs(expected) + std::abs(above) + 1;
    CHECK(std::abs(actual - expected) <= 1e-7 * scale);
  }
}

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
  Leaves leaves = {{"query", in.query}, {"key", in.key}, {"value", in.value}};
  for (const auto& item : mechanism->named_parameters())
    leaves.emplace_back(item.key(), item.value());
  for (auto& [name, leaf] : leaves) leaf.requires_grad_();

  auto generator = torch::make_generator<at::CPUGeneratorImpl>(11);
  const Tensor out = mechanism->forward(in);
  const Tensor weight = torch::randn(out.sizes(), generator, out.options());
  (out * weight).sum().backward();
  const auto gradients = take_gradients(leaves);

  const auto loss = [&] { return (mechanism->reference(in, all_rows(shape.T)) * weight).sum(); };
  loss().backward();
  const auto expected = take_gradients(leaves);
  for (size_t i = 0; i < leaves.size(); ++i) {
    CAPTURE(leaves[i].first);
    const double scale = expected[i].norm().item<double>() + 1;
    CHECK((gradients[i] - expected[i]).norm().item<double>() <= 1e-10 * scale);
  }
  // With epsilon 0 a stabiliser's maximum cancels; otherwise it is a constant for the gradient and
  // none for differences.
  const bool sees_maximum = variant.options.value("epsilon", 0.0) != 0 ||
                            variant.options.value("key_sum_epsilon", 0.0) != 0;
  if (has_stabilizer(*variant.entry) && sees_maximum) return;
  check_by_differences([&] { return loss().item<double>(); }, leaves, gradients, generator);
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
