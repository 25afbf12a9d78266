// SPDX-License-Identifier: MIT
// Arithmetic on temporaries: in place where no gradient is wanted, so that a pass without gradients
// allocates once; out of place where one is, because the factors are needed again.
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

inline bool wants_gradient(const Tensor& a, const Tensor& b) {
  return torch::GradMode::is_enabled() && (a.requires_grad() || b.requires_grad());
}
inline Tensor times(Tensor a, const Tensor& b) { return wants_gradient(a, b) ? a * b : a.mul_(b); }
inline Tensor plus(Tensor a, const Tensor& b) { return wants_gradient(a, b) ? a + b : a.add_(b); }
inline Tensor times(Tensor a, double b) { return a.requires_grad() ? a * b : a.mul_(b); }

}  // namespace lavo
