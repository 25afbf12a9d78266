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
Tensor sum_of_four(const Tensor& x_BTC, const Tensor& weight_C4) {
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

Tensor logistic(const Tensor& x) { return 1 / (1 + torch::exp(-x)); }

/// Head h of `count` reads head h G / count of the G there are.
Tensor head_for_each(const Tensor& x_BGTE, int64_t count) {
  std::vector<Tensor> heads;
  for (int64_t h = 0; h < count; ++h) heads.push_back(x_BGTE.select(1, h * x_BGTE.size(1) / count));
  return torch::stack(heads, 1);
}

}  // namespace

Tensor LayerOutput::reference(const Tensor& y_BHTE, const Tensor& x, const Inputs& in,
                              const Tensor& value, const Linear& linear) const {
  const int64_t H = sizes_.heads(), E = sizes_.E;
  std::vector<Tensor> heads;
  for (int64_t h = 0; h < H; ++h) {
    Tensor y = y_BHTE.select(1, h);
    if (switches_.skip == Skip::kValue) {
      y = y + wide(skip_scale_)[h] * head_for_each(value, H).select(1, h);
    }
    if (switches_.output_norm == OutputNorm::kRms) y = divided_by_rms(y, wide(norm_));
    if (switches_.output_norm == OutputNorm::kLayer) {
      const Tensor off = y - y.sum(-1, true) / static_cast<double>(E);
      const Tensor variance = (off * off).sum(-1, true) / static_cast<double>(E);
      y = off / torch::sqrt(variance + 1e-5 * static_cast<double>(E)) * wide(norm_)[h] +
          wide(norm_bias_)[h];
    }
    if (switches_.skip == Skip::kBonus) {
      const Tensor channels = in.query.select(1, h) * wide(skip_scale_)[h] * in.key.select(1, h);
      y = y + channels.sum(-1, true) * value.select(1, h);
    }
    heads.push_back(y);
  }
  const Tensor y = torch::cat(heads, -1);
  Tensor gate;
  switch (*switches_.output_gate) {
    case OutputGate::kNone:
      gate = torch::ones_like(y);
      break;
    case OutputGate::kSelf:
      gate = logistic(y);
      break;
    case OutputGate::kSilu:
      gate = linear(x, gate_weight_);
      gate = gate * logistic(gate);
      break;
    case OutputGate::kSigmoid:
      gate = logistic(linear(x, gate_weight_));
      break;
    case OutputGate::kLowRankSigmoid:
      gate = logistic(linear(linear(x, gate_down_weight_), gate_weight_) + wide(gate_bias_));
      break;
    case OutputGate::kLowRank:
      gate = linear(logistic(linear(x, gate_down_weight_)), gate_weight_);
      break;
  }
  const Tensor gated = y * gate;
  return switches_.output_norm == OutputNorm::kRmsAfter ? divided_by_rms(gated, wide(norm_))
                                                        : gated;
}

Tensor MultiheadAttention::reference(const MixerInput& in) {
  check(in, /*streaming=*/false);
  torch::NoGradGuard no_grad;
  const LayerSwitches& switches = options_.switches;
  const int64_t D = sizes_.D, E = sizes_.E, q_rows = sizes_.query_rows();
  const int64_t qk_rows = sizes_.qk_rows(), all_rows = sizes_.rows();
  const Tensor x = wide(in.x_BTM), keys = wide(in.keys());
  const auto linear = [](const Tensor& of, const Tensor& weight) {
    return products(of, wide(weight));
  };
  // x, or what the part reads of it and of the token before.
  const auto read = [&](const Tensor& of, int64_t part) {
    if (!shift_.defined()) return of;
    std::vector<Tensor> rows;
    for (int64_t t = 0; t < of.size(1); ++t) {
      Tensor back = torch::zeros_like(of.select(1, 0));
      if (t > 0) back = of.select(1, t - 1);
      if (t > 0 && in.key_mask.defined()) {
        back =
            torch::where(in.key_mask.select(1, t - 1).unsqueeze(1), back, torch::zeros_like(back));
      }
      const Tensor share = wide(shift_)[part];
      rows.push_back((1 - share) * of.select(1, t) + share * back);
    }
    return torch::stack(rows, 1);
  };
  const auto projected = [&](const Tensor& of, int64_t first, int64_t end, const Tensor& mask) {
    const auto rows = [&](const Tensor& stacked) {
      return wide(stacked).narrow(0, first, end - first);
    };
    Tensor y = products(of, rows(input_weight_)) + rows(input_bias_);
    if (convolution_.defined() && end <= convolution_.size(0)) {
      if (mask.defined()) y = torch::where(mask.unsqueeze(2), y, torch::zeros_like(y));
      y = sum_of_four(y, rows(convolution_));
    }
    const bool activates = switches.activation == Activation::kSilu ||
                           (switches.activation == Activation::kSiluQk && end <= qk_rows);
    if (activates) y = y * logistic(y);
    const int64_t width = end <= qk_rows ? D : E;
    return y.view({y.size(0), y.size(1), (end - first) / width, width}).transpose(1, 2);
  };
  const auto placed = [&](Tensor y, const Tensor& weight) {
    if (switches.qk_norm == QkNorm::kL2) {
      y = of_length_one(y);
    } else if (switches.qk_norm == QkNorm::kRms) {
      y = divided_by_rms(y, wide(weight));
    }
    return options_.position == PositionEncoding::kRope ? turned(y) : y;
  };
  const Tensor& query_mask = options_.cross ? in.query_mask : in.key_mask;
  Inputs to;
  to.query = placed(projected(read(x, 0), 0, q_rows, query_mask), query_norm_);
  to.key = placed(projected(read(keys, 1), q_rows, qk_rows, in.key_mask), key_norm_);
  to.value = projected(read(keys, 2), qk_rows, all_rows, in.key_mask);
  to.causal = options_.causal;
  to.cross = options_.cross;
  to.key_mask = in.key_mask;
  if (mechanism_->unit_queries()) to.query = of_length_one(to.query);
  if (mechanism_->unit_keys()) to.key = of_length_one(to.key);
  const Tensor value = to.value;
  const MixerInput wide_in{.x_BTM = x, .memory_BSM = in.memory_BSM.defined() ? keys : Tensor()};
  std::vector<Tensor> declared_read;
  for (size_t i = 0; shift_.defined() && i < declared_.count(); ++i) {
    declared_read.push_back(read(x, 4 + static_cast<int64_t>(i)));
  }
  declared_.set(to, wide_in, wide(input_weight_).narrow(0, q_rows, qk_rows - q_rows),
                wide(input_weight_).narrow(0, qk_rows, all_rows - qk_rows), linear, declared_read);
  Inputs inputs = to;
  if (options_.position == PositionEncoding::kAlibi) widen_for_alibi(inputs, 0);

  std::vector<int64_t> all;
  for (int64_t t = 0; t < x.size(1); ++t) all.push_back(t);
  const Tensor out = mechanism_->reference(inputs, all).narrow(3, 0, E);
  return products(output_.reference(out, read(x, 3), to, value, linear), wide(output_weight_)) +
         wide(output_bias_);
}

}  // namespace lavo
