// SPDX-License-Identifier: MIT
#include "baselines/gsa.h"

#include <algorithm>
#include <cmath>

namespace lavo {
namespace {

constexpr double kSlotGateTemperature = 8;

double scale_of_slots(const Tensor& query) {
  return 1 / std::sqrt(static_cast<double>(query.size(3)));
}

}  // namespace

Patterns Gsa::supported() {
  const std::string order = "slots forget in the order of the tokens";
  return {{order + ", so a later token cannot be seen", "",
           order + ", which those of another sequence lack",
           order + ", which those of another sequence lack"}};
}

std::vector<InputSpec> Gsa::inputs() const {
  LayerRule gate;
  gate.squash = [](const Tensor& raw, const Tensor&) {
    return torch::log_sigmoid(raw) / kSlotGateTemperature;
  };
  LayerRule rest;
  rest.kind = LayerRule::Kind::kDerived;
  rest.join = [](const Tensor&, const Inputs& so_far) {
    return -torch::expm1(so_far["log_decay"]);
  };
  return {{.name = "log_decay",
           .letters = "BHSM",
           .meaning = "natural logarithm of the decay of each slot, <= 0",
           .neutral = 0,
           .draw = uniform(-0.5, 0),
           .layer = gate,
           .count_option = "slot_count",
           .extremes = {-30, 0}},
          {.name = "slots",
           .letters = "BHSM",
           .meaning = "how much the token writes into each slot",
           .neutral = 0,
           .draw = uniform(0, 1),
           .layer = rest,
           .count_option = "slot_count",
           .extremes = {0, 1}}};
}

std::unique_ptr<State> Gsa::new_state() const {
  return std::make_unique<NamedState>(std::vector<std::string>{"key", "value"});
}

void Gsa::check(const Inputs& in, const State*) const {
  check_slots(kName, in, inputs(), *options_.slot_count);
}

Tensor Gsa::attend(const Inputs& in, State* state) {
  return slot_attention({.query = in.query,
                         .key = in.key,
                         .value = in.value,
                         .slots = in["slots"],
                         .log_decay = in["log_decay"],
                         .scale = scale_of_slots(in.query)},
                        static_cast<NamedState*>(state));
}

std::optional<MemoryView> Gsa::inspect(const Inputs& in, int64_t row) {
  torch::NoGradGuard no_grad;
  const Inputs seen = hide_padding(with_all_heads(in).narrow(0, row + 1), inputs());
  NamedState state({"key", "value"});
  attend(seen, &state);
  return view_slots(to_compute(seen.query.narrow(2, row, 1)), {state["key"], state["value"]},
                    scale_of_slots(in.query));
}

// Token by token.
Tensor Gsa::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  const Shape s = in.shape();
  const int64_t M = in["slots"].size(3), last = *std::ranges::max_element(rows);
  const auto at = [&](const Tensor& x, int64_t t) {
    const Tensor token = x.narrow(2, t, 1);
    return in.key_mask.defined() ? hide_rows(token, in.key_mask.narrow(1, t, 1), 2) : token;
  };
  Tensor key = torch::zeros({s.B, s.H, M, s.D}, in.query.options());
  Tensor value = torch::zeros({s.B, s.H, M, s.E}, in.query.options());
  std::map<int64_t, Tensor> outputs;
  for (int64_t t = 0; t <= last; ++t) {
    const Tensor kept = at(in["log_decay"], t).exp().transpose(2, 3);  // (B,H,M,1)
    const Tensor written = at(in["slots"], t).transpose(2, 3);
    key = kept * key + written * at(in.key, t);
    value = kept * value + written * at(in.value, t);
    if (std::ranges::find(rows, t) == rows.end()) continue;
    const Tensor logits = (key * in.query.narrow(2, t, 1)).sum(3) / std::sqrt(s.D);
    outputs[t] = (logits.softmax(2).unsqueeze(3) * value).sum(2, /*keepdim=*/true);
  }
  std::vector<Tensor> result;
  for (const int64_t t : rows) result.push_back(outputs.at(t));
  return torch::cat(result, 2);
}

Cost Gsa::cost(const Shape& shape, Pattern) const {
  const int64_t M = *options_.slot_count;
  return causal_slot_cost(shape, {.slots = M, .inputs = 2 * M});
}

}  // namespace lavo
