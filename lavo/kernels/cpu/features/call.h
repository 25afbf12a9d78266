// SPDX-License-Identifier: MIT
// What the kernels of causal attention by features are called with. Letters as in
// lavo/core/mechanism.h. No LibTorch here: pointers, sizes and strides.
#pragma once

#include "lavo/kernels/cpu/engine/isa.h"
#include "lavo/kernels/cpu/engine/parallel.h"
#include "lavo/kernels/cpu/engine/tokens.h"

namespace lavo::cpu {

/// Tokens that are worked on together: the products among them are taken one by one.
inline constexpr int64_t kFeatureChunk = 32;

/// What a weighted sum of values is divided by, from the sum of the weights:
/// n_t = max(c_t + epsilon + feature_epsilon sum_m phi_q(t)_m, smallest), 1 where that is 0.
struct FeatureNormaliser {
  double epsilon = 0, feature_epsilon = 0, smallest = 0;
};

/// o_t = s_t / n_t from (s_t, c_t) = sum_{j<=t} exp(l_j - l_t) (phi_q(t) . phi_k(j)) [v_j, 1] and,
/// in front of the first token, exp(l - l_t) phi_q(t)^T sum.
struct FeaturesCall {
  Storage storage = Storage::kFloat32;  ///< of values, outputs and their gradients
  int64_t B = 1, H = 1, T = 1, M = 1, E = 1;
  Tokens query, key;                ///< features, width M, in the compute type
  Tokens value;                     ///< width E
  const bool* visible = nullptr;    ///< [B, T]; null: every key is real
  const void* level = nullptr;      ///< l [B, H, T], never falling; null: all 0
  const double* sum = nullptr;      ///< [B, H, E + 1, M], of the tokens before the first one
  const void* sum_level = nullptr;  ///< l [B, H] that `sum` stands at; with `level`
  FeatureNormaliser normaliser;

  ParallelFor parallel = serial_for;
};

struct FeaturesForward {
  FeaturesCall call;
  Tokens output;      ///< width E
  double* sum_after;  ///< [B, H, E + 1, M], at the level of the last token
};

/// Gradients of sum(output * grad_output) + sum(sum_after * grad_sum_after).
struct FeaturesBackward {
  FeaturesCall call;
  Tokens grad_output;
  const double* grad_sum_after = nullptr;  ///< null: zeros
  Tokens grad_query, grad_key, grad_value;
  double* grad_sum = nullptr;  ///< [B, H, E + 1, M]
};

LAVO_DECLARE_KERNEL(features_forward, FeaturesForward);
LAVO_DECLARE_KERNEL(features_backward, FeaturesBackward);

}  // namespace lavo::cpu
