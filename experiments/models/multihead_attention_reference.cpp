// SPDX-License-Identifier: MIT
// The layer by its formulas in float64: sums of products written out, no matrix product, complex
// number, or norm of LibTorch's. alibi's extra columns are the same function as in forward(): a
// mechanism has no other way to take a bias, and position_test.cpp holds them to the bias matrix.
#include <cmath>

#include "experiments/models/multihead_attention.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

Tensor wide(const Tensor& x) { return x.defined() ? x.to(torch::kFloat64) : x; }

/// sum_m x_m W_cm.
Tensor products(const Tensor& x_BTM, const Tensor& weight_CM) {
  return (x_BTM.unsqueeze(2) * weight_CM).sum(-1);
}

/// sum_i w_i x_{t - 3 + i}, token by token.
Tensor convolved(const Tensor& x_BTC, const Tensor& weight_C4) {
  std::vector<Tensor> rows;
  for (int64_t t = 0; t < x_BTC.size(1); ++t) {
    Tensor row = torch::zeros_like(x_BTC.select(1, 0));
    for (int64_t back = 0; back < kConvolutionWidth && back <= t; ++back) {
      row = row + weight_C4.select(1, kConvolutionWidth - 1 - back) * x_BTC.select(1, t - back);
    }
    rows.push_back(row);
  }
  return torch::stack(rows, 1);
}

/// Each pair turned by t 10000^(-2i/D).
Tensor turned(const Tensor& x_BHTD) {
  const int64_t D = x_BHTD.size(3);
  Tensor out = x_BHTD.clone();
  for (int64_t t = 0; t < x_BHTD.size(2); ++t) {
    for (int64_t i = 0; i < D; i += 2) {
      const double angle = static_cast<double>(t) *
                           std::pow(10000, -static_cast<double>(i) / static_cast<double>(D));
      const Tensor a = x_BHTD.select(2, t).select(2, i), b = x_BHTD.select(2, t).select(2, i + 1);
      out.select(2, t).select(2, i).copy_(a * std::cos(angle) - b * std::sin(angle));
      out.select(2, t).select(2, i + 1).copy_(a * std::sin(angle) + b * std::cos(angle));
    }
  }
  return out;
}

Tensor of_length_one(const Tensor& x) {
  return x / torch::sqrt((x * x).sum(-1, /*keepdim=*/true)).clamp_min(1e-12);
}

Tensor divided_by_rms(const Tensor& x, const Tensor& weight) {
  const Tensor squares = (x * x).sum(-1, /*keepdim=*/true) / static_cast<double>(x.size(-1));
  return weight * x / torch::sqrt(squares + 1e-6);
}

}  // namespace

Tensor MultiheadAttention::reference(const MixerInput& in) {
  check(in, /*streaming=*/false);
  torch::NoGradGuard no_grad;
  const int64_t M = options_.width, H = options_.heads, D = M / H;
  const Tensor x = wide(in.x_BTM), keys = wide(in.keys());
  const auto projected = [&](const Tensor& of, int64_t part, const Tensor& mask) {
    const auto rows = [&](const Tensor& stacked) { return wide(stacked).narrow(0, part * M, M); };
    Tensor y = products(of, rows(input_weight_)) + rows(input_bias_);
    if (convolution_.defined()) {
      if (mask.defined()) y = torch::where(mask.unsqueeze(2), y, torch::zeros_like(y));
      y = convolved(y, rows(convolution_));
    }
    return y.view({y.size(0), y.size(1), H, D}).transpose(1, 2);
  };
  const auto placed = [&](Tensor y, const Tensor& weight) {
    if (options_.switches.qk_norm == QkNorm::kL2) {
      y = of_length_one(y);
    } else if (options_.switches.qk_norm == QkNorm::kRms) {
      y = divided_by_rms(y, wide(weight));
    }
    return options_.position == PositionEncoding::kRope ? turned(y) : y;
  };
  Inputs to;
  to.query = placed(projected(x, 0, options_.cross ? in.query_mask : in.key_mask), query_norm_);
  to.key = placed(projected(keys, 1, in.key_mask), key_norm_);
  to.value = projected(keys, 2, in.key_mask);
  to.causal = options_.causal;
  to.cross = options_.cross;
  to.key_mask = in.key_mask;
  if (mechanism_->unit_queries()) to.query = of_length_one(to.query);
  if (mechanism_->unit_keys()) to.key = of_length_one(to.key);
  const MixerInput wide_in{.x_BTM = x, .memory_BSM = in.memory_BSM.defined() ? keys : Tensor()};
  declared_.set(to, wide_in, wide(input_weight_).narrow(0, M, M),
                wide(input_weight_).narrow(0, 2 * M, M),
                [](const Tensor& of, const Tensor& weight) { return products(of, wide(weight)); });
  if (options_.position == PositionEncoding::kAlibi) widen_for_alibi(to, 0);

  std::vector<int64_t> all;
  for (int64_t t = 0; t < x.size(1); ++t) all.push_back(t);
  Tensor out = mechanism_->reference(to, all).narrow(3, 0, D);
  if (output_norm_.defined()) out = divided_by_rms(out, wide(output_norm_));
  out = out.transpose(1, 2).flatten(2);
  if (gate_weight_.defined()) {
    const Tensor gate = products(x, wide(gate_weight_));
    out = out * gate / (1 + torch::exp(-gate));
  }
  return products(out, wide(output_weight_)) + wide(output_bias_);
}

}  // namespace lavo
