// SPDX-License-Identifier: MIT
#include "baselines/luna.h"

#include <cmath>
#include <limits>

#include "lavo/core/pieces.h"
#include "lavo/parts/feature_maps.h"

namespace lavo {
namespace {

double scale_of_packing(const Tensor& query) {
  return 1 / std::sqrt(static_cast<double>(query.size(3)));
}

/// k_j . P_m / sqrt(D), (B,H,S,M), of padded keys 0, since these are zeros.
Tensor packing(const Inputs& in) {
  const Tensor pack = to_compute(in["pack"]) * scale_of_packing(in.query);
  return torch::matmul(to_compute(in.key), pack.transpose(1, 2));
}

/// The whole sequence in its slots; padding is zeros.
PackedSlots pack_all(const Inputs& in) {
  Tensor logits = packing(in);
  if (in.key_mask.defined()) {
    logits = hide_rows(logits, in.key_mask, 2, -std::numeric_limits<double>::infinity());
  }
  return pack_slots(to_compute(in.key), to_compute(in.value), logits);
}

}  // namespace

std::vector<InputSpec> Luna::inputs() const {
  LayerRule rule;
  rule.kind = LayerRule::Kind::kLearned;
  rule.start = normal();
  return {{.name = "pack",
           .letters = "HMD",
           .meaning = "the queries that pack the sequence",
           .draw = normal(),
           .layer = rule,
           .count_option = "slot_count"}};
}

std::unique_ptr<State> Luna::new_state() const {
  return std::make_unique<NamedState>(std::vector<std::string>{"key", "value", "count"});
}

void Luna::check(const Inputs& in, const State*) const {
  check_slots(kName, in, inputs(), *options_.slot_count);
}

Tensor Luna::attend(const Inputs& in, State* state) {
  const Tensor q = to_compute(in.query);
  const double scale = scale_of_packing(q);
  if (in.pattern() != Pattern::kCausalSelf) return read_slots(q, pack_all(in), scale);
  auto* held = static_cast<NamedState*>(state);
  const int64_t B = q.size(0), T = q.size(2);
  const Tensor real = in.key_mask.defined() ? in.key_mask.to(torch::kLong)
                                            : torch::ones({B, T}, q.options().dtype(torch::kLong));
  Tensor count = real.cumsum(1);
  if (held && (*held)["count"].defined()) count = count + (*held)["count"].view({B, 1});
  if (held) (*held)["count"] = count.select(1, T - 1).clone();
  const Tensor share = count.clamp_min(1).to(q.scalar_type()).reciprocal().view({B, 1, T, 1});
  // A padded token has a = 1, and adds nothing: its key and its value are zeros.
  const Tensor a = elu_plus_one(packing(in));
  return share * slot_attention({.query = q * share,
                                 .key = to_compute(in.key),
                                 .value = to_compute(in.value),
                                 .slots = a,
                                 .scale = scale},
                                held);
}

std::optional<MemoryView> Luna::inspect(const Inputs& in, int64_t row) {
  torch::NoGradGuard no_grad;
  const bool causal = in.pattern() == Pattern::kCausalSelf;
  const Inputs all = with_all_heads(in);
  const Inputs seen = hide_padding(causal ? all.narrow(0, row + 1) : all, inputs());
  const Tensor query = to_compute(all.query.narrow(2, row, 1));
  if (!causal) return view_slots(query, pack_all(seen), scale_of_packing(query));
  NamedState state({"key", "value", "count"});
  attend(seen, &state);
  const Tensor count = state["count"].clamp_min(1).view({-1, 1, 1, 1});
  const auto mean = [&](const char* name) { return (state[name] / count).to(query.scalar_type()); };
  return view_slots(query, {mean("key"), mean("value")}, scale_of_packing(query));
}

// Every sum anew, term by term.
Tensor Luna::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  const bool causal = in.pattern() == Pattern::kCausalSelf;
  const double root = std::sqrt(static_cast<double>(in.query.size(3)));
  Pieces outputs(static_cast<int64_t>(rows.size()));
  for (const int64_t t : rows) {
    const int64_t seen = causal ? t + 1 : in.key.size(2);
    Tensor key = in.key.narrow(2, 0, seen), value = in.value.narrow(2, 0, seen);
    Tensor real = torch::ones({in.key.size(0), seen}, key.options());
    if (in.key_mask.defined()) {
      const Tensor mask = in.key_mask.narrow(1, 0, seen);
      key = hide_rows(key, mask, 2);
      value = hide_rows(value, mask, 2);
      real = mask.to(key.scalar_type());
    }
    real = real.unsqueeze(1).unsqueeze(1);                                        // (B,1,1,S)
    const Tensor x = (in["pack"].unsqueeze(2) * key.unsqueeze(2)).sum(4) / root;  // (B,H,M,S)
    Tensor weight;
    if (causal) {
      weight =
          torch::where(x > 0, x + 1, x.clamp_max(0).exp()) * real / real.sum(3, true).clamp_min(1);
    } else {
      weight = (x - x.amax(3, true)).exp() * real;
      const Tensor total = weight.sum(3, true);
      weight = weight / torch::where(total > 0, total, torch::ones_like(total));
    }
    const auto packed = [&](const Tensor& y) {
      return (weight.unsqueeze(4) * y.unsqueeze(2)).sum(3);  // (B,H,M,.)
    };
    const Tensor read = (packed(key) * in.query.narrow(2, t, 1)).sum(3) / root;
    outputs.add((read.softmax(2).unsqueeze(3) * packed(value)).sum(2, /*keepdim=*/true));
  }
  return outputs.result();
}

Cost Luna::cost(const Shape& s, Pattern pattern) const {
  const int64_t M = *options_.slot_count;
  const bool causal = pattern == Pattern::kCausalSelf;
  const SlotCost call{.slots = M, .inputs = 0, .decays = false};
  Cost cost = causal ? causal_slot_cost(s, call) : packed_slot_cost(s, call);
  const double heads = static_cast<double>(s.B * s.H), S = static_cast<double>(s.S);
  const double packing = heads * S * static_cast<double>(M);
  cost.flop += 2 * packing * static_cast<double>(s.D);
  cost.bytes += static_cast<double>(s.element_bytes * s.H * M * s.D);
  if (causal) {
    const double scaled = heads * S * static_cast<double>(s.D + s.E);
    cost.memory_bytes += s.compute_bytes() * (2 * packing + scaled);
    cost.backward_memory_bytes += s.compute_bytes() * (4 * packing + 2 * scaled);
    cost.state_bytes += 8 * static_cast<double>(s.B);
  }
  return cost;
}

}  // namespace lavo
