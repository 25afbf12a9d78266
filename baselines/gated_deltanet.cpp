// SPDX-License-Identifier: MIT
#include "baselines/gated_deltanet.h"

namespace lavo {

std::vector<InputSpec> GatedDeltaNet::inputs() const {
  return {softplus_decay("BHS", 0, 16), sigmoid_beta()};
}

void GatedDeltaNet::set_gates(const Inputs& in, DeltaRule& rule) const {
  rule.log_decay = gate_column(in["log_decay"]);
  rule.erase = rule.write = gate_column(in["beta"]);
}

Tensor GatedDeltaNet::step(const Tensor& S, const RecurrentToken& token) const {
  const Tensor kept = token.gates.at("log_decay").exp().unsqueeze(2).unsqueeze(3) * S;
  return kept + correction(kept, token);
}

}  // namespace lavo
