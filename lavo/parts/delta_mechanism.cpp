// SPDX-License-Identifier: MIT
#include "lavo/parts/delta_mechanism.h"

#include <ATen/ops/softplus.h>

#include <algorithm>
#include <cmath>

namespace lavo {
namespace {

constexpr double kShortestStep = 1e-3, kLongestStep = 0.1;

/// softplus^-1 of a step log-uniform between the two.
Tensor step_bias(at::IntArrayRef sizes, at::Generator& generator) {
  const double low = std::log(kShortestStep), high = std::log(kLongestStep);
  const Tensor step = torch::empty(sizes, torch::kFloat64).uniform_(low, high, generator).exp();
  return step + torch::log(-torch::expm1(-step));
}

}  // namespace

std::unique_ptr<State> DeltaMechanism::new_state() const {
  return std::make_unique<NamedState>(std::vector<std::string>{""});
}

double DeltaMechanism::scale(int64_t D) const { return 1 / std::sqrt(static_cast<double>(D)); }

Tensor DeltaMechanism::attend(const Inputs& in, State* state) {
  DeltaRule rule{
      .query = in.query, .key = in.key, .value = in.value, .scale = scale(in.query.size(3))};
  set_gates(in, rule);
  return delta_rule(rule, static_cast<NamedState*>(state));
}

Tensor DeltaMechanism::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  return recurrent_rows(in, inputs(), rows, scale(in.query.size(3)),
                        [this](const Tensor& S, const RecurrentToken& t) { return step(S, t); });
}

// Which gates there are is seen from what is declared.
Cost DeltaMechanism::cost(const Shape& shape, Pattern) const {
  int64_t gates = 0;
  bool vector_decay = false, erases = false;
  for (const InputSpec& spec : inputs()) {
    const bool wide = spec.letters.ends_with('D');
    gates += wide ? shape.D : 1;
    vector_decay |= wide && spec.name == "log_decay";
    erases |= spec.name == "beta";
  }
  return delta_cost(shape, vector_decay, erases, gates);
}

Tensor gate_column(const Tensor& gate) { return to_compute(gate).unsqueeze(3); }

Tensor outer(const RecurrentToken& token) {
  return token.key.unsqueeze(3) * token.value.unsqueeze(2);
}

Tensor correction(const Tensor& S, const RecurrentToken& token) {
  const Tensor recalled = (S * token.key.unsqueeze(3)).sum(2);
  const Tensor written = token.gates.at("beta").unsqueeze(2) * (token.value - recalled);
  return token.key.unsqueeze(3) * written.unsqueeze(2);
}

InputSpec softplus_decay(const std::string& letters, double lowest, double highest, int64_t rank) {
  LayerRule rule{.rank = rank};
  rule.squash = [](const Tensor& raw, const Tensor& scale) {
    return -scale.exp() * at::softplus(raw);
  };
  rule.start = step_bias;
  rule.scale = [=](at::IntArrayRef sizes, at::Generator& generator) {
    return torch::empty(sizes, torch::kFloat64).uniform_(lowest, highest, generator).log();
  };
  return {.name = "log_decay",
          .letters = letters,
          .meaning = letters.ends_with('D') ? "natural logarithm of the decay of each channel, <= 0"
                                            : "natural logarithm of the decay, <= 0",
          .neutral = 0,
          .draw = uniform(-1, 0),
          .layer = rule,
          .extremes = {-30, 0}};
}

InputSpec stepped_decay(const std::string& letters, double lowest, double highest) {
  InputSpec spec = softplus_decay(letters, lowest, highest);
  // log_decay is -exp(a) times the step.
  spec.layer.own = [](const Tensor& log_decay, const Tensor& a, const Tensor&, Inputs& so_far) {
    const Tensor step = -log_decay / a.exp();
    so_far.value = so_far.value * step.unsqueeze(3).to(so_far.value.scalar_type());
  };
  return spec;
}

json mamba_layer() {
  return {{"conv", "short"},
          {"activation", "silu"},
          {"expand_k", 4.0},
          {"expand_v", 2.0},
          {"qk_heads", 1},
          {"skip", "value"},
          {"output_gate", "silu"},
          {"output_norm", "rms_after"},
          {"position_encoding", "none"}};
}

InputSpec sigmoid_beta() {
  LayerRule rule;
  rule.squash = [](const Tensor& raw, const Tensor&) { return raw.sigmoid(); };
  return {.name = "beta",
          .letters = "BHS",
          .meaning = "how much of what the key recalls is replaced, 0 to 1 (to 2)",
          .neutral = 0,
          .draw = uniform(0, 1),
          .layer = rule,
          .extremes = {0, 1, 2}};
}

}  // namespace lavo
