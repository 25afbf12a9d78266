// SPDX-License-Identifier: MIT
// Causal attention by features out of one primitive, the causal sum, and LibTorch operators: the
// formulas of lavo::attend_features where a device has that sum alone.
#pragma once

#include <functional>

#include "lavo/operators/attend_features_call.h"

namespace lavo {

/// out_t = sum_{j<=t} (q_t . k_j) v_j, or over j >= t in reverse: q, k (B,H,T,X), v and out
/// (B,H,T,Y) of the compute type. X and Y are multiples of 8 up to 64.
using CausalSums =
    std::function<void(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                       bool reverse, const at::Tensor& out)>;

/// As attend_features, without levels. With x_j = [v_j, 1], zeros where the key is hidden:
///
///   [s_t, c_t] = sum phi_q(t) + sum_{j<=t} (phi_q(t) . phi_k(j)) x_j       sum is (E+1,M)
///   o_t = s_t / n_t                            sum after = sum + sum_j x_j phi_k(j)^T
///
/// A causal sum, in blocks of 64 features and 64 columns of x; all else is a few numbers a token.
FeatureOutputs features_forward_by_sums(const CausalSums& causal_sums, const FeatureInputs& in);

/// With G the gradient of the sum after, g_t = [do_t / n_t, dc_t], dc_t = -do_t . o_t / n_t, 0
/// where n_t is not c_t's own:
///
///   dphi_q(t) = sum^T g_t + sum_{j<=t} (g_t . x_j) phi_k(j) + feature_epsilon dc_t
///   dphi_k(j) = G^T x_j + sum_{t>=j} (x_j . g_t) phi_q(t)
///   [dv_j, .] = G phi_k(j) + sum_{t>=j} (phi_k(j) . phi_q(t)) g_t
///   dsum      = G + sum_t g_t phi_q(t)^T
///
/// Four causal sums: that of the forward pass is taken again. `grad_sum` may be undefined: zeros.
FeatureGradients features_backward_by_sums(const CausalSums& causal_sums,
                                           const at::Tensor& grad_output,
                                           const at::Tensor& grad_sum, const FeatureInputs& in);

}  // namespace lavo
