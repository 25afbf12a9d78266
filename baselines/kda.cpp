// SPDX-License-Identifier: MIT
#include "baselines/kda.h"

namespace lavo {
namespace {

constexpr int64_t kKdaGateRank = 16;

}  // namespace

std::vector<InputSpec> Kda::inputs() const {
  return {softplus_decay("BHSD", 1, 16, kKdaGateRank), sigmoid_beta()};
}

void Kda::set_gates(const Inputs& in, DeltaRule& rule) const {
  rule.log_decay = to_compute(in["log_decay"]);
  rule.erase = rule.write = gate_column(in["beta"]);
}

Tensor Kda::step(const Tensor& S, const RecurrentToken& token) const {
  const Tensor kept = token.gates.at("log_decay").exp().unsqueeze(3) * S;
  return kept + correction(kept, token);
}

}  // namespace lavo
