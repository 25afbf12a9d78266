// SPDX-License-Identifier: MIT
// Problems of attention by features, and their answers by the recurrence: for the kernels, for the
// formulas out of causal sums, and for a GPU.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lavo/core/mechanism.h"
#include "lavo/operators/attend_features.h"

namespace lavo {

struct FeatureSize {
  int64_t B, H, T, M, E;
};

/// Everything in float64. Levels stand still as often as they rise, the first by `step` at most.
FeatureInputs feature_problem(const FeatureSize& size, bool levels, bool padding, double step = 1);

/// Values in `type`, all else in its compute type.
FeatureInputs stored_as(FeatureInputs in, torch::ScalarType type);

/// Token by token: sum_t = exp(l_{t-1} - l_t) sum_{t-1} + [v_t, 1] phi_k(t)^T. Differentiable.
FeatureOutputs feature_recurrence(const FeatureInputs& in);

/// The output, the sum, and the gradients of a weighted total of both, by name.
using FeatureResults = std::vector<std::pair<std::string, Tensor>>;

/// The weights: normal numbers in the types of both.
FeatureOutputs feature_weights(const FeatureOutputs& out);

/// By autograd; without `of_sum` the total leaves the sum out.
FeatureResults results_of(FeatureInputs in,
                          const std::function<FeatureOutputs(const FeatureInputs&)>& run,
                          bool of_sum = true);

/// |actual - expected| / |expected| over the whole tensor; infinite where anything is not finite.
double relative_error(const Tensor& actual, const Tensor& expected);

/// Of sums of up to `terms` positive numbers of either sign of value, a few of them after another.
double feature_bound(torch::ScalarType type, int64_t terms);

}  // namespace lavo
