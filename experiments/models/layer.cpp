// SPDX-License-Identifier: MIT
#include "experiments/models/layer.h"

#include <cmath>

#include "lavo/core/check.h"

namespace lavo {
namespace {

int64_t head_width(const char* name, double expand, int64_t width, int64_t heads) {
  const double wanted = expand * static_cast<double>(width) / static_cast<double>(heads);
  const double nearest = std::round(wanted);
  require<OptionError>(nearest >= 1 && std::abs(wanted - nearest) < 1e-6,
                       "attention: {} {} of width {} and {} heads is no width of a head: {}", name,
                       expand, width, heads, wanted);
  return static_cast<int64_t>(nearest);
}

/// The last `count` tokens of both become `before`, zeros where undefined; gives both.
Tensor behind(const Tensor& x_BTC, Tensor& before, int64_t count) {
  if (!before.defined())
    before = torch::zeros({x_BTC.size(0), count, x_BTC.size(2)}, x_BTC.options());
  const Tensor both = torch::cat({before, x_BTC}, 1);
  before = both.narrow(1, both.size(1) - count, count);
  return both;
}

}  // namespace

LayerSizes sizes_of(int64_t width, int64_t heads, const LayerSwitches& filled) {
  require<OptionError>(heads >= 1 && width % heads == 0,
                       "attention: width {} is no multiple of heads {}", width, heads);
  const int64_t qk = *filled.qk_heads, kv = *filled.kv_heads;
  require<OptionError>(heads % qk == 0, "attention: qk_heads {} is no divisor of heads {}", qk,
                       heads);
  require<OptionError>(heads % kv == 0, "attention: kv_heads {} is no divisor of heads {}", kv,
                       heads);
  require<OptionError>(qk == heads || kv == heads,
                       "attention: qk_heads {} and kv_heads {} are both below heads {}", qk, kv,
                       heads);
  return {.M = width,
          .query_heads = qk,
          .key_heads = std::min(qk, kv),
          .value_heads = kv,
          .D = head_width("expand_k", *filled.expand_k, width, heads),
          .E = head_width("expand_v", *filled.expand_v, width, heads)};
}

Tensor initial_weight(at::IntArrayRef sizes, at::Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(sizes.back()));
  return torch::empty(sizes, torch::kFloat32).uniform_(-bound, bound, generator);
}

Tensor short_convolution(const Tensor& x, const Tensor& weight, Tensor& before) {
  const Tensor padded = behind(x, before, kConvolutionWidth - 1);
  Tensor sum;
  for (int64_t i = 0; i < kConvolutionWidth; ++i) {
    const Tensor part = padded.narrow(1, i, x.size(1)) * weight.select(1, i).to(x.scalar_type());
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

Tensor one_token_before(const Tensor& x, Tensor& before) {
  return behind(x, before, 1).narrow(1, 0, x.size(1));
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
