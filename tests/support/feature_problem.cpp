// SPDX-License-Identifier: MIT
#include "tests/support/feature_problem.h"

#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>

#include "lavo/core/problem.h"

namespace lavo {

FeatureInputs feature_problem(const FeatureSize& size, bool levels, bool padding, double step) {
  const auto [B, H, T, M, E] = size;
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(11);
  const auto draw = [&](at::IntArrayRef sizes) {
    return torch::rand(sizes, generator, torch::kFloat32).to(torch::kFloat64);
  };
  FeatureInputs in{.query = draw({B, H, T, M}),
                   .key = draw({B, H, T, M}),
                   .value = draw({B, H, T, E}) * 4 - 1,
                   .sum = draw({B, H, E + 1, M})};
  if (padding) in.key_mask = draw({B, T}) < 0.7;
  if (levels) {
    in.sum_level = draw({B, H}) - 2;
    const Tensor rises = (draw({B, H, T}) - 0.5).clamp_min(0) * step;
    in.level = rises.cumsum(2) + in.sum_level.unsqueeze(2);
  }
  return in;
}

FeatureInputs stored_as(FeatureInputs in, torch::ScalarType type) {
  const auto compute = compute_type(type);
  for (Tensor* x : {&in.query, &in.key, &in.level, &in.sum_level}) {
    if (x->defined()) *x = x->to(compute);
  }
  in.value = in.value.to(type);
  return in;
}

FeatureOutputs feature_recurrence(const FeatureInputs& in) {
  Tensor sum = in.sum, before = in.sum_level;
  std::vector<Tensor> outputs;
  for (int64_t t = 0; t < in.value.size(2); ++t) {
    const auto token = [&](const Tensor& x) { return x.select(2, t); };
    if (in.level.defined()) {
      sum = sum * (before - token(in.level)).exp().unsqueeze(2).unsqueeze(3);
      before = token(in.level);
    }
    Tensor value = token(in.value), one = torch::ones_like(value.narrow(2, 0, 1));
    if (in.key_mask.defined()) {
      one = one * in.key_mask.select(1, t).view({-1, 1, 1});
      value = value * one;
    }
    sum = sum + torch::cat({value, one}, 2).unsqueeze(3) * token(in.key).unsqueeze(2);
    const Tensor weighted = (sum * token(in.query).unsqueeze(2)).sum(3);
    const int64_t E = value.size(2);
    Tensor total = weighted.narrow(2, E, 1) + in.normaliser.epsilon +
                   in.normaliser.feature_epsilon * token(in.query).sum(2, true);
    if (in.normaliser.smallest > 0) total = total.clamp_min(in.normaliser.smallest);
    outputs.push_back(weighted.narrow(2, 0, E) / total.masked_fill(total == 0, 1));
  }
  return {torch::stack(outputs, 2), sum};
}

FeatureOutputs feature_weights(const FeatureOutputs& out) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(12);
  const auto weight = [&](const Tensor& x) {
    return torch::randn(x.sizes(), generator, torch::kFloat32).to(x.scalar_type());
  };
  const Tensor of_output = weight(out.output);
  return {of_output, weight(out.sum)};
}

FeatureResults results_of(FeatureInputs in,
                          const std::function<FeatureOutputs(const FeatureInputs&)>& run,
                          bool of_sum) {
  std::vector<Tensor> leaves;
  for (Tensor* x : {&in.query, &in.key, &in.value, &in.sum}) {
    *x = x->detach().requires_grad_();
    leaves.push_back(*x);
  }
  const FeatureOutputs out = run(in), weight = feature_weights(out);
  std::vector<Tensor> results = {out.output}, weights = {weight.output};
  if (of_sum) {
    results.push_back(out.sum);
    weights.push_back(weight.sum);
  }
  const auto gradients = torch::autograd::grad(results, leaves, weights);
  return {{"output", out.output.detach()}, {"sum", out.sum.detach()}, {"query", gradients[0]},
          {"key", gradients[1]},           {"value", gradients[2]},   {"sum before", gradients[3]}};
}

double relative_error(const Tensor& actual, const Tensor& expected) {
  const Tensor difference = actual.to(torch::kFloat64) - expected;
  const double error = difference.norm().item<double>() / (expected.norm().item<double>() + 1e-300);
  return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
}

double feature_bound(torch::ScalarType type, int64_t terms) { return 4 * tolerance(type, terms); }

}  // namespace lavo
