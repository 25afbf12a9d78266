// SPDX-License-Identifier: MIT
#include "experiments/models/head.h"

#include "experiments/models/layer.h"

namespace lavo {
namespace {

Tensor mean_of_real(const Tensor& x_BTM, const Tensor& mask) {
  if (!mask.defined()) return x_BTM.mean({1});
  const Tensor count = mask.sum(1, /*keepdim=*/true).clamp_min(1);
  return hide_rows(x_BTM, mask, 1).sum(1) / count.to(x_BTM.scalar_type());
}

}  // namespace

Head::Head(torch::nn::Module& owner, const HeadOptions& options, at::Generator& generator)
    : options_(options) {
  const int64_t rows =
      options.kind == HeadKind::kPoints ? options.points * options.outputs : options.outputs;
  weight_ =
      owner.register_parameter("head_weight", initial_weight({rows, options.width}, generator));
  bias_ = owner.register_parameter("head_bias", torch::zeros({rows}));
}

Tensor Head::forward(const Tensor& x, const Tensor& mask) const {
  if (options_.kind == HeadKind::kSequenceClass) {
    return at::linear(mean_of_real(x, mask), weight_, bias_);
  }
  const Tensor y = at::linear(x, weight_, bias_);
  return options_.kind == HeadKind::kPoints
             ? y.view({x.size(0), x.size(1) * options_.points, options_.outputs})
             : y;
}

}  // namespace lavo
