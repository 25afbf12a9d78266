// SPDX-License-Identifier: MIT
#include "baselines/gla.h"

namespace lavo {
namespace {

constexpr double kGateTemperature = 16;
constexpr int64_t kGateRank = 16;

}  // namespace

std::vector<InputSpec> Gla::inputs() const {
  return {{.name = "log_decay",
           .letters = "BHSD",
           .meaning = "natural logarithm of the decay of each channel, <= 0",
           .neutral = 0,
           .draw = uniform(-0.5, 0),
           .layer = {.kind = LayerRule::Kind::kProjected,
                     .rank = kGateRank,
                     .squash =
                         [](const Tensor& raw, const Tensor&) {
                           return torch::log_sigmoid(raw) / kGateTemperature;
                         }},
           .extremes = {-30, 0}}};
}

void Gla::set_gates(const Inputs& in, DeltaRule& rule) const {
  rule.log_decay = to_compute(in["log_decay"]);
}

Tensor Gla::step(const Tensor& S, const RecurrentToken& token) const {
  return token.gates.at("log_decay").exp().unsqueeze(3) * S + outer(token);
}

}  // namespace lavo
