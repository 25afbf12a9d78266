// SPDX-License-Identifier: MIT
#include "baselines/lightning.h"

#include <cmath>

#include "lavo/core/check.h"

namespace lavo {

void LightningOptions::validate() const {
  require_option(layer < layers, "layer",
                 "lightning: option 'layer' must be below layers, got {} and {}", layer, layers);
}

void LightningOptions::resolve(const Setting& setting) {
  if (setting.layers == 1) return;
  layer = setting.layer;
  layers = setting.layers;
}

Tensor Lightning::log_decays(int64_t heads) const {
  const double flat =
      1 - static_cast<double>(options_.layer) / static_cast<double>(options_.layers);
  return torch::arange(heads, torch::kFloat64) * (-8.0 / static_cast<double>(heads) * flat);
}

void Lightning::set_gates(const Inputs& in, DeltaRule& rule) const {
  const Shape s = in.shape();
  const auto options = in.query.options().dtype(compute_type(in.query.scalar_type()));
  rule.log_decay = log_decays(s.H).to(options).view({1, s.H, 1, 1}).expand({s.B, s.H, s.T, 1});
}

Tensor Lightning::step(const Tensor& S, const RecurrentToken& token) const {
  const int64_t H = S.size(1);
  std::vector<double> kept;
  for (int64_t h = 0; h < H; ++h) {
    const double slope = 8.0 * static_cast<double>(h) / static_cast<double>(H);
    kept.push_back(std::exp(-slope * static_cast<double>(options_.layers - options_.layer) /
                            static_cast<double>(options_.layers)));
  }
  return torch::tensor(kept, S.options()).view({1, H, 1, 1}) * S + outer(token);
}

}  // namespace lavo
