// SPDX-License-Identifier: MIT
#include "experiments/models/layer.h"

#include <cmath>

namespace lavo {

Tensor initial_weight(at::IntArrayRef sizes, at::Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(sizes.back()));
  return torch::empty(sizes, torch::kFloat32).uniform_(-bound, bound, generator);
}

Tensor short_convolution(const Tensor& x, const Tensor& weight, Tensor& before) {
  constexpr int64_t kBefore = kConvolutionWidth - 1;
  if (!before.defined()) before = torch::zeros({x.size(0), kBefore, x.size(2)}, x.options());
  const Tensor padded = torch::cat({before, x}, 1);
  before = padded.narrow(1, padded.size(1) - kBefore, kBefore);
  Tensor sum;
  for (int64_t i = 0; i < kConvolutionWidth; ++i) {
    const Tensor part = padded.narrow(1, i, x.size(1)) * weight.select(1, i).to(x.scalar_type());
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

Tensor l2_norm(const Tensor& x) {
  const Tensor wide = to_compute(x);
  return (wide / wide.norm(2, {-1}, /*keepdim=*/true).clamp_min(1e-12)).to(x.scalar_type());
}

Tensor rms_norm(const Tensor& x, const Tensor& weight) {
  const Tensor wide = to_compute(x);
  const Tensor scale = (wide.square().mean({-1}, /*keepdim=*/true) + 1e-6).rsqrt();
  return (wide * scale * weight).to(x.scalar_type());
}

}  // namespace lavo
