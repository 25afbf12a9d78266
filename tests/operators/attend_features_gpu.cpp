// SPDX-License-Identifier: MIT
// lavo::attend_features on a GPU against the recurrence in float64, and the mechanisms that call it
// against their formulas. Exits with 77 where there is no GPU.
#include <torch/cuda.h>

#include <cstdio>

#include "lavo/core/problem.h"
#include "tests/support/feature_problem.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

bool is_within(const std::string& name, double error, double bound) {
  const bool good = error <= bound;
  std::printf("%-70s %.2e of %.2e: %s\n", name.c_str(), error, bound, good ? "ok" : "wrong");
  return good;
}

FeatureOutputs attend_on_gpu(FeatureInputs in) {
  for (Tensor* x : {&in.query, &in.key, &in.value, &in.key_mask, &in.sum}) {
    if (x->defined()) *x = x->to(torch::kCUDA);
  }
  const FeatureOutputs out = attend_features(in);
  return {out.output.cpu(), out.sum.cpu()};
}

bool operator_is_right(const FeatureSize& size, torch::ScalarType type, bool padding) {
  FeatureInputs in = feature_problem(size, false, padding);
  in.normaliser = {.epsilon = 1e-6, .feature_epsilon = padding ? 0.1 : 0};
  in.value = in.value.to(type).to(torch::kFloat64);
  const double bound = type == torch::kFloat32 ? feature_bound(type, size.T + size.M) : 4 * 0x1p-8;
  const FeatureResults expected = results_of(in, feature_recurrence),
                       actual = results_of(stored_as(in, type), attend_on_gpu);
  bool good = true;
  for (size_t i = 0; i < expected.size(); ++i) {
    good &= is_within(fmt::format("{} tokens, {} features, {} columns, {}: {}", size.T, size.M,
                                  size.E, toString(type), expected[i].first),
                      relative_error(actual[i].second, expected[i].second), bound);
  }
  return good;
}

/// Terms that are all alike are rounded alike: means of 2^17 of them.
bool long_sums_keep_their_digits() {
  constexpr int64_t T = int64_t{1} << 17;
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(4);
  FeatureInputs in;
  in.value = 1 + torch::rand({1, 1, T, 3}, generator, torch::kFloat32);
  in.query = in.key = torch::full({1, 1, T, 2}, 0.1F);
  in.sum = torch::zeros({1, 1, 4, 2}, torch::kFloat64);
  const FeatureOutputs out = attend_on_gpu(in);
  const Tensor sums = in.value.to(torch::kFloat64).cumsum(2);
  const Tensor means = sums / torch::arange(1, T + 1, torch::kFloat64).view({T, 1});
  const Tensor last = sums.narrow(2, T - 1, 1).squeeze(2) * static_cast<double>(0.1F);
  return is_within("means of 2^17 tokens", worst_row_error(out.output, means), 1e-5) &
         is_within("their sum", worst_row_error(out.sum.select(3, 0).narrow(2, 0, 3), last), 1e-5);
}

/// Fused where it says so for CUDA, and right either way.
bool mechanism_is_right(const Variant& variant) {
  const Shape shape = small_shape(*variant.entry, 300, 300);
  const auto mechanism = variant.create(shape, true, false, torch::kFloat32);
  if (!mechanism) return true;
  const Inputs in = variant.inputs(*mechanism, shape, torch::kFloat32, 7,
                                   {.device = torch::kCUDA, .causal = true});
  mechanism->to(torch::kCUDA);
  const Tensor out = mechanism->forward(in);
  const bool told = mechanism
                        ->not_fused({.shape = shape,
                                     .pattern = Pattern::kCausalSelf,
                                     .type = torch::kFloat32,
                                     .device = torch::kCUDA})
                        .empty();
  if (told && !mechanism->is_fused()) {
    std::printf("%s: not fused\n", variant.name().c_str());
    return false;
  }
  return is_within(variant.name(), worst_row_error(out, mechanism->reference(in, all_rows(300))),
                   tolerance(torch::kFloat32, 300 + 64));
}

}  // namespace

int main() {
  if (!torch::cuda::is_available()) {
    std::puts("skipped: no CUDA device");
    return 77;
  }
  bool good = true;
  for (const bool padding : {false, true}) {
    for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
      for (const FeatureSize& size :
           {FeatureSize{2, 3, 1, 16, 8}, FeatureSize{2, 3, 130, 64, 63},
            FeatureSize{1, 2, 700, 128, 128}, FeatureSize{2, 1, 65, 5, 3}})
        good &= operator_is_right(size, type, padding);
    }
  }
  good &= long_sums_keep_their_digits();
  torch::NoGradGuard no_grad;
  for (const Variant& variant : variants()) {
    const auto& name = variant.entry->name;
    if (variant.implementation == Implementation::kFused &&
        (name == "linear" || name == "cosformer" || name == "performer"))
      good &= mechanism_is_right(variant);
  }
  return good ? 0 : 1;
}
