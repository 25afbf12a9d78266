// SPDX-License-Identifier: MIT
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

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
  const bool causal = is_causal(pattern), cross = is_cross(pattern);
  const Shape shape = small_shape(*variant.entry, 13, 13);
  const auto mechanism = variant.create(shape, causal, cross, torch::kFloat64);
  if (!mechanism || !takes(*mechanism, pattern)) return;
  Inputs in = variant.inputs(*mechanism, shape, torch::kFloat64, 5,
                             {.causal = causal, .cross = cross, .padding = padding});
  CAPTURE(variant.name(), pattern_name(pattern), padding);
  Leaves leaves;
  in.each([&](const std::string& name, Tensor& x, const std::string&) {
    leaves.emplace_back(name, x);
  });
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
  if (!mechanism->has_full_gradient()) return;
  check_by_differences([&] { return loss().item<double>(); }, leaves, gradients, generator);
}

}  // namespace

TEST_CASE("gradients are those of the reference") {
  const bool padding = GENERATE(false, true);
  for (const Variant& variant : variants()) {
    for (const Pattern pattern : kPatterns) check_gradients(variant, pattern, padding);
  }
}

TEST_CASE("the gradient of what a stream begins from is that of the whole sequence") {
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, 21, 21);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf)) continue;
    const auto state = state_of(*mechanism);
    if (!state || !mechanism->has_full_gradient()) continue;
    CAPTURE(variant.name());
    const Inputs in = variant.inputs(*mechanism, shape, torch::kFloat64, 5, {.causal = true});
    {
      torch::NoGradGuard no_grad;
      mechanism->forward(in.narrow(0, 9), *state);
    }
    std::vector<std::pair<std::string, Tensor>> leaves;
    for (const auto& [name, x] : state->named()) {
      if (x.is_floating_point() && x.numel() > 0 && state->has_gradient(name))
        leaves.emplace_back(name, x.clone().requires_grad_());
    }
    if (leaves.empty()) continue;  // its state holds no numbers
    const auto loss = [&] {
      const auto begun = mechanism->new_state();
      for (const auto& [name, x] : state->named()) begun->assign(name, x);
      for (const auto& [name, x] : leaves) begun->assign(name, x);
      begun->position = 9;
      const Tensor out = mechanism->forward(in.narrow(9, 12), *begun);
      CHECK_FALSE(begun->requires_grad());  // cut after every piece
      return (out * torch::arange(out.numel(), out.options()).view(out.sizes()).sin()).sum();
    };
    loss().backward();
    const auto gradients = take_gradients(leaves);
    auto generator = torch::make_generator<at::CPUGeneratorImpl>(11);
    check_by_differences([&] { return loss().item<double>(); }, leaves, gradients, generator);
  }
}
