// SPDX-License-Identifier: MIT
#include "experiments/models/layer_output.h"

#include "lavo/core/check.h"

namespace lavo {
namespace {

/// Heads copied to `count`, one by one.
Tensor repeated_heads(const Tensor& x_BHTD, int64_t count) {
  return x_BHTD.size(1) == count ? x_BHTD : x_BHTD.repeat_interleave(count / x_BHTD.size(1), 1);
}

/// Of a head, over all of them a weight and a bias. Source: Wu and He 2018, arXiv:1803.08494.
Tensor group_norm(const Tensor& x_BTHE, const Tensor& weight, const Tensor& bias) {
  const int64_t E = x_BTHE.size(-1);
  const Tensor wide = to_compute(x_BTHE);
  const Tensor centred = wide - wide.mean({-1}, /*keepdim=*/true);
  const Tensor scale =
      (centred.square().mean({-1}, /*keepdim=*/true) + 1e-5 * static_cast<double>(E)).rsqrt();
  return (centred * scale * weight + bias).to(x_BTHE.scalar_type());
}

}  // namespace

LayerOutput::LayerOutput(torch::nn::Module& owner, const LayerSizes& sizes,
                         const LayerSwitches& filled, at::Generator& generator)
    : sizes_(sizes), switches_(filled) {
  const int64_t H = sizes.heads(), D = sizes.D, E = sizes.E, M = sizes.M;
  switch (*filled.output_norm) {
    case OutputNorm::kNone:
      break;
    case OutputNorm::kRms:
      norm_ = owner.register_parameter("output_norm", torch::ones({E}));
      break;
    case OutputNorm::kRmsAfter:
      norm_ = owner.register_parameter("output_norm", torch::ones({H * E}));
      break;
    case OutputNorm::kLayer:
      norm_ = owner.register_parameter("output_norm", torch::ones({H, E}));
      norm_bias_ = owner.register_parameter("output_norm_bias", torch::zeros({H, E}));
      break;
  }
  switch (*filled.output_gate) {
    case OutputGate::kNone:
    case OutputGate::kSelf:
      break;
    case OutputGate::kSilu:
    case OutputGate::kSigmoid:
      gate_weight_ = owner.register_parameter("gate_weight", initial_weight({H * E, M}, generator));
      break;
    case OutputGate::kLowRankSigmoid:
      gate_bias_ = owner.register_parameter("gate_bias", torch::zeros({H * E}));
      [[fallthrough]];
    case OutputGate::kLowRank:
      gate_down_weight_ =
          owner.register_parameter("gate_down_weight", initial_weight({E, M}, generator));
      gate_weight_ = owner.register_parameter("gate_weight", initial_weight({H * E, E}, generator));
      break;
  }
  if (switches_.skip == Skip::kValue) {
    skip_scale_ = owner.register_parameter("skip_scale", torch::ones({H}));
  } else if (switches_.skip == Skip::kBonus) {
    skip_scale_ = owner.register_parameter("skip_scale", torch::zeros({H, D}));
  }
}

Tensor LayerOutput::operator()(const Tensor& y, const Tensor& x, const Inputs& in,
                               const Tensor& value) const {
  const int64_t H = sizes_.heads();
  const auto type = y.scalar_type();
  Tensor out = y;
  if (switches_.skip == Skip::kValue) {
    const Tensor scale = skip_scale_.view({H, 1, 1}).to(type);
    out = out + scale * repeated_heads(value, H);
  }
  out = out.transpose(1, 2);
  if (switches_.output_norm == OutputNorm::kRms) out = rms_norm(out, norm_);
  if (switches_.output_norm == OutputNorm::kLayer) out = group_norm(out, norm_, norm_bias_);
  if (switches_.skip == Skip::kBonus) {
    const Tensor read = in.query * in.key * skip_scale_.view({H, 1, sizes_.D}).to(type);
    const Tensor bonus = read.sum(-1, /*keepdim=*/true) * value;
    out = out + bonus.transpose(1, 2);
  }
  out = out.flatten(2);
  switch (*switches_.output_gate) {
    case OutputGate::kNone:
      break;
    case OutputGate::kSelf:
      out = at::silu(out);
      break;
    case OutputGate::kSilu:
      out = out * at::silu(at::linear(x, gate_weight_));
      break;
    case OutputGate::kSigmoid:
      out = out * at::linear(x, gate_weight_).sigmoid();
      break;
    case OutputGate::kLowRankSigmoid:
      out = out * at::linear(at::linear(x, gate_down_weight_), gate_weight_, gate_bias_).sigmoid();
      break;
    case OutputGate::kLowRank:
      out = out * at::linear(at::linear(x, gate_down_weight_).sigmoid(), gate_weight_);
      break;
  }
  return switches_.output_norm == OutputNorm::kRmsAfter ? rms_norm(out, norm_) : out;
}

double LayerOutput::flop_per_token() const {
  double weights = 0;
  if (gate_weight_.defined()) weights += static_cast<double>(gate_weight_.numel());
  if (gate_down_weight_.defined()) weights += static_cast<double>(gate_down_weight_.numel());
  return 2 * weights;
}

}  // namespace lavo
