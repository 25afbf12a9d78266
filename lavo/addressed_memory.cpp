// SPDX-License-Identifier: MIT
#include "lavo/addressed_memory.h"

#include <cmath>

#include "lavo/parts/delta_rule.h"
#include "lavo/parts/mean_slots.h"
#include "lavo/parts/slot_attention.h"

namespace lavo {
namespace {

constexpr double kTiny = 1e-24;  // added to a square: a vector of zeros stays one

Tensor unit(const Tensor& x) { return x * (x.square().sum(-1, /*keepdim=*/true) + kTiny).rsqrt(); }

/// A call of the memory, its tensors in the compute type.
class AddressedCall {
 public:
  AddressedCall(const Inputs& in, const AddressedMemory& memory)
      : in_(in),
        memory_(memory),
        addresses_HRD_(memory.bases_HRD * memory.temperature),
        query_(to_compute(in.query)),
        key_(to_compute(in.key)),
        value_(to_compute(in.value)) {
    if (!memory.unit) return;
    query_ = unit(query_);
    key_ = unit(key_);
  }

  Tensor causal(NamedState* state) const {
    if (memory_.write != MemoryWrite::kMean) return add_causally(state);
    const Tensor held = state ? (*state)["normaliser"] : Tensor();
    const MeanGates gates = mean_gates(key_logits(), log_decay(), held);
    if (state) (*state)["normaliser"] = gates.normaliser;
    if (memory_.slots) {
      return slot_attention({.query = scaled_query(),
                             .key = key_,
                             .value = value_,
                             .slots = gates.slots,
                             .log_decay = gates.log_decay},
                            state);
    }
    return delta_rule({.query = logits(query_).softmax(-1),
                       .key = gates.slots,
                       .value = value_,
                       .log_decay = gates.log_decay},
                      state);
  }

  Tensor of_all() const {
    if (memory_.write == MemoryWrite::kSum) {
      return torch::matmul(feature(query_), torch::matmul(feature(key_).transpose(2, 3), value_));
    }
    const PackedSlots packed = pack_slots(key_, value_, key_logits());
    if (memory_.slots) return read_slots(scaled_query(), packed, 1);
    return torch::matmul(logits(query_).softmax(-1), packed.value);
  }

  /// As query `row` of `asking` sees it behind the last token of this one.
  MemoryView view(const AddressedCall& asking, int64_t row) const {
    Tensor logits_BHSR = key_logits();
    if (const Tensor g = log_decay(); g.defined()) {
      const Tensor wide = g.to(torch::kFloat64).expand_as(logits_BHSR);
      logits_BHSR = logits_BHSR + wide.sum(2, /*keepdim=*/true) - wide.cumsum(2);
    }
    const PackedSlots packed = pack_slots(key_, value_, logits_BHSR.to(key_.scalar_type()));
    if (memory_.slots) return view_slots(asking.scaled_query().narrow(2, row, 1), packed, 1);
    const Tensor weight = asking.logits(asking.query_.narrow(2, row, 1)).softmax(-1).squeeze(2);
    return {memory_.bases_HRD.unsqueeze(0).expand({weight.size(0), weight.size(1), -1, -1}),
            packed.value, weight};
  }

 private:
  Tensor logits(const Tensor& x) const { return torch::matmul(x, addresses_HRD_.transpose(1, 2)); }

  Tensor key_logits() const {
    const Tensor all = logits(key_);
    return in_.key_mask.defined() ? hide_rows(all, in_.key_mask, 2, kNoLogit) : all;
  }

  Tensor scaled_query() const {
    return memory_.unit ? query_ * memory_.temperature
                        : query_ / std::sqrt(static_cast<double>(query_.size(3)));
  }

  Tensor feature(const Tensor& x) const { return unit(logits(x).softmax(-1)); }

  /// (B,H,T,R), or (1,1,1,R or 1); undefined: 0.
  Tensor log_decay() const {
    Tensor sum = memory_.row_log_decay;
    if (sum.defined()) sum = sum.view({1, 1, 1, -1}).to(key_.device());
    if (in_.extra.contains("slot_gate")) {
      const Tensor gate = to_compute(in_["slot_gate"]);
      sum = sum.defined() ? gate + sum.to(gate.scalar_type()) : gate;
    }
    return sum;
  }

  Tensor add_causally(NamedState* state) const {
    DeltaRule call{.query = feature(query_), .key = feature(key_), .value = value_};
    if (const Tensor g = log_decay(); g.defined()) {
      call.log_decay =
          g.to(key_.scalar_type()).expand({key_.size(0), key_.size(1), key_.size(2), g.size(3)});
    }
    if (memory_.write == MemoryWrite::kDelta) {
      call.erase = call.write = to_compute(in_["beta"]).unsqueeze(3);
    }
    return delta_rule(call, state);
  }

  const Inputs& in_;
  const AddressedMemory& memory_;
  Tensor addresses_HRD_, query_, key_, value_;
};

}  // namespace

std::unique_ptr<NamedState> new_addressed_state() {
  return std::make_unique<NamedState>(std::vector<std::string>{"key", "value", "normaliser", ""});
}

Tensor read_addressed(const Inputs& in, const AddressedMemory& memory, NamedState* state) {
  const AddressedCall call(in, memory);
  return in.pattern() == Pattern::kCausalSelf ? call.causal(state) : call.of_all();
}

std::optional<MemoryView> view_addressed(const Inputs& in, const AddressedMemory& memory,
                                         int64_t row) {
  if (memory.write != MemoryWrite::kMean) return {};
  const Inputs seen = in.pattern() == Pattern::kCausalSelf ? in.narrow(0, row + 1) : in;
  return AddressedCall(seen, memory).view(AddressedCall(in, memory), row);
}

Cost addressed_cost(const Shape& s, Pattern pattern, const AddressedShape& memory) {
  const double heads = static_cast<double>(s.B * s.H), R = static_cast<double>(memory.bases);
  const double T = static_cast<double>(s.T), S = static_cast<double>(s.S);
  const bool mean = memory.write == MemoryWrite::kMean;
  Cost cost;
  if (!is_causal(pattern) || is_cross(pattern)) {
    cost = packed_slot_cost(s, {.slots = memory.bases, .inputs = memory.gates});
  } else if (memory.slots) {
    cost = causal_slot_cost(s, {.slots = memory.bases, .inputs = memory.gates});
  } else {
    Shape features = s;
    features.D = memory.bases;
    cost = delta_cost(features, mean || memory.decays, memory.write == MemoryWrite::kDelta,
                      mean ? memory.bases : memory.gates);
    cost.bytes = s.traffic_bytes() + static_cast<double>(s.element_bytes * memory.gates) * heads *
                                         static_cast<double>(s.S);
  }
  // Logits of keys and, but for slots, of queries; what gates and features are made of them.
  const double sides = memory.slots ? S : S + T;
  cost.flop += 2 * heads * R * static_cast<double>(s.D) * sides;
  const double numbers = heads * R * sides;
  cost.memory_bytes += (mean ? 24 + 3 * s.compute_bytes() : 3 * s.compute_bytes()) * numbers;
  cost.backward_memory_bytes +=
      (mean ? 40 + 5 * s.compute_bytes() : 6 * s.compute_bytes()) * numbers;
  const double wide = 2 * s.compute_bytes() * heads * static_cast<double>(s.D) * (S + T);
  cost.memory_bytes += wide;
  cost.backward_memory_bytes += 2 * wide;
  if (mean && cost.state_bytes > 0) cost.state_bytes += 8 * heads * R;
  return cost;
}

}  // namespace lavo
