// SPDX-License-Identifier: MIT
#include "baselines/deltanet.h"

namespace lavo {

std::vector<InputSpec> DeltaNet::inputs() const { return {sigmoid_beta()}; }

void DeltaNet::set_gates(const Inputs& in, DeltaRule& rule) const {
  rule.erase = rule.write = gate_column(in["beta"]);
}

Tensor DeltaNet::step(const Tensor& S, const RecurrentToken& token) const {
  return S + correction(S, token);
}

}  // namespace lavo
