// SPDX-License-Identifier: MIT
#include "baselines/abc.h"

#include <cmath>

#include "lavo/core/pieces.h"
#include "lavo/parts/mean_slots.h"

namespace lavo {
namespace {

double scale_of_means(const Tensor& query) {
  return 1 / std::sqrt(static_cast<double>(query.size(3)));
}

}  // namespace

std::vector<InputSpec> Abc::inputs() const {
  return {{.name = "slot_logits",
           .letters = "BHSM",
           .meaning = "logit of the token's weight in each slot",
           .neutral = kNoLogit,
           .draw = normal(),
           .count_option = "slot_count"}};
}

std::unique_ptr<State> Abc::new_state() const {
  return std::make_unique<NamedState>(std::vector<std::string>{"key", "value", "normaliser"});
}

void Abc::check(const Inputs& in, const State*) const {
  check_slots(kName, in, inputs(), *options_.slot_count);
}

Tensor Abc::attend(const Inputs& in, State* state) {
  const double scale = scale_of_means(in.query);
  if (in.pattern() != Pattern::kCausalSelf) {
    const PackedSlots slots =
        pack_slots(to_compute(in.key), to_compute(in.value), to_compute(in["slot_logits"]));
    return read_slots(to_compute(in.query), slots, scale);
  }
  auto* held = static_cast<NamedState*>(state);
  const MeanGates gates =
      mean_gates(in["slot_logits"], {}, held ? (*held)["normaliser"] : Tensor());
  if (held) (*held)["normaliser"] = gates.normaliser;
  return slot_attention({.query = in.query,
                         .key = in.key,
                         .value = in.value,
                         .slots = gates.slots,
                         .log_decay = gates.log_decay,
                         .scale = scale},
                        held);
}

std::optional<MemoryView> Abc::inspect(const Inputs& in, int64_t row) {
  torch::NoGradGuard no_grad;
  const bool causal = in.pattern() == Pattern::kCausalSelf;
  const Inputs all = with_all_heads(in);
  const Inputs seen = hide_padding(causal ? all.narrow(0, row + 1) : all, inputs());
  const PackedSlots slots =
      pack_slots(to_compute(seen.key), to_compute(seen.value), to_compute(seen["slot_logits"]));
  return view_slots(to_compute(all.query.narrow(2, row, 1)), slots, scale_of_means(in.query));
}

// Every mean anew, from its weights.
Tensor Abc::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  const bool causal = in.pattern() == Pattern::kCausalSelf;
  Pieces outputs(static_cast<int64_t>(rows.size()));
  for (const int64_t t : rows) {
    const int64_t seen = causal ? t + 1 : in.key.size(2);
    Tensor logits = in["slot_logits"].narrow(2, 0, seen);
    Tensor key = in.key.narrow(2, 0, seen), value = in.value.narrow(2, 0, seen);
    if (in.key_mask.defined()) {
      const Tensor mask = in.key_mask.narrow(1, 0, seen);
      logits = hide_rows(logits, mask, 2, kNoLogit);
      key = hide_rows(key, mask, 2);
      value = hide_rows(value, mask, 2);
    }
    // -infinity where no key is visible.
    const Tensor largest = logits.amax(2, /*keepdim=*/true).nan_to_num(0, 0, 0);
    const Tensor weight = (logits - largest).exp().transpose(2, 3);  // (B,H,M,S)
    const Tensor total = weight.sum(3, /*keepdim=*/true);
    const Tensor share = weight / torch::where(total > 0, total, torch::ones_like(total));
    const auto mean = [&](const Tensor& x) { return (share.unsqueeze(4) * x.unsqueeze(2)).sum(3); };
    const Tensor read = (mean(key) * in.query.narrow(2, t, 1)).sum(3) / std::sqrt(key.size(3));
    outputs.add((read.softmax(2).unsqueeze(3) * mean(value)).sum(2, /*keepdim=*/true));
  }
  return outputs.result();
}

Cost Abc::cost(const Shape& s, Pattern pattern) const {
  const int64_t M = *options_.slot_count;
  const SlotCost call{.slots = M, .inputs = M};
  if (pattern != Pattern::kCausalSelf) return packed_slot_cost(s, call);
  Cost cost = causal_slot_cost(s, call);
  const double normalisers = static_cast<double>(s.B * s.H * M);
  const double gates = static_cast<double>(s.T) * normalisers;
  cost.state_bytes += 8 * normalisers;
  // Logits and normalisers in float64; the difference, slots and decays.
  cost.memory_bytes += (24 + 3 * s.compute_bytes()) * gates;
  cost.backward_memory_bytes += (40 + 5 * s.compute_bytes()) * gates;
  return cost;
}

}  // namespace lavo
