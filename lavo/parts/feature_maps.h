// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

/// elu(x) + 1, positive. Source: Katharopoulos et al. 2020, arXiv:2006.16236, equation 7.
Tensor elu_plus_one(const Tensor& x);

/// [relu(x) sin(a_t), relu(x) cos(a_t)], a_t = pi / 2 t / max_length, so that the product of two is
/// relu(q) . relu(k) cos(a_t - a_j): (.., T, D) -> (.., T, 2 D). Angles are taken in float64: a
/// position keeps its phase however long the sequence. Source: Qin et al. 2022, arXiv:2202.08791,
/// section 3.3.
Tensor cosine_features(const Tensor& x, int64_t position, int64_t max_length);

/// W (M, D) in float64: rows of independent orthonormal blocks of D, each row scaled to the norm of
/// a fresh N(0, I_D) vector. Source: Choromanski et al. 2021, arXiv:2009.14794, section 2.4.
Tensor orthogonal_gaussian_rows(int64_t rows, int64_t width, at::Generator& generator);

}  // namespace lavo
