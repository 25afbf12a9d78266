// SPDX-License-Identifier: MIT
#include "baselines/mamba2.h"

namespace lavo {

std::vector<InputSpec> Mamba2::inputs() const { return {stepped_decay("BHS", 1, 16)}; }

void Mamba2::set_gates(const Inputs& in, DeltaRule& rule) const {
  rule.log_decay = gate_column(in["log_decay"]);
}

Tensor Mamba2::step(const Tensor& S, const RecurrentToken& token) const {
  return token.gates.at("log_decay").exp().unsqueeze(2).unsqueeze(3) * S + outer(token);
}

}  // namespace lavo
