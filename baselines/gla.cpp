// SPDX-License-Identifier: MIT
#include "baselines/gla.h"

#include <cmath>

#include "lavo/parts/recurrent_rows.h"

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
                     .squash = [](const Tensor& raw, const Tensor&) {
                       return torch::log_sigmoid(raw) / kGateTemperature;
                     }}}};
}

std::unique_ptr<State> Gla::new_state() const {
  return std::make_unique<NamedState>(std::vector<std::string>{""});
}

Tensor Gla::attend(const Inputs& in, State* state) {
  return delta_rule({.query = in.query,
                     .key = in.key,
                     .value = in.value,
                     .log_decay = in["log_decay"],
                     .scale = 1 / std::sqrt(static_cast<double>(in.query.size(3)))},
                    static_cast<NamedState*>(state));
}

Tensor Gla::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  return recurrent_rows(in, inputs(), rows, 1 / std::sqrt(static_cast<double>(in.query.size(3))),
                        [](const Tensor& S, const RecurrentToken& token) {
                          const Tensor decay = token.gates.at("log_decay").exp().unsqueeze(3);
                          return decay * S + token.key.unsqueeze(3) * token.value.unsqueeze(2);
                        });
}

Cost Gla::cost(const Shape& shape, Pattern) const {
  return delta_cost(shape, /*vector_decay=*/true, /*erases=*/false,
                    /*gates=*/shape.D);
}

}  // namespace lavo
