// SPDX-License-Identifier: MIT
// LAVO by its fused operator.
#include "lavo/lavo.h"
#include "lavo/lavo_state.h"
#include "lavo/parts/fused_stream.h"

namespace lavo {
namespace {

/// The means that a kernel advances in place.
void carry(LavoState& state, const AttendInputs& in, AttendStream& stream) {
  if (in.memory == "none") return;
  const int64_t B = in.query.size(0), R = in.key_bases.size(1);
  const int64_t H = in.memory == "projected" ? 1 : in.query.size(1);
  std::tie(stream.value_mean, stream.weight) = state.value_mean.carried(B, H, R);
  if (in.memory == "key_value") {
    stream.key_mean = state.key_mean.carried(B, H, R).first;
    state.key_mean.set_weight(stream.weight);  // the kernel advances one weight for both means
  }
}

}  // namespace

Tensor Lavo::part_weights(const Inputs& in) const {
  const auto options = in.query.options().dtype(compute_type(in.query.scalar_type()));
  const int64_t H = in.query.size(1);
  if (!has_local(in) || !has_global(in)) return torch::ones({2, H}, options);
  const Tensor local = mix_logit_.defined() ? to_compute(mix_logit_).sigmoid()
                                            : torch::full({H}, options_.mix.number, options);
  return torch::stack({1 - local, local});
}

bool Lavo::add_memory(const Inputs& in, AttendInputs& call) const {
  const LavoBases b = bases(in);
  call.key_bases = b.key_HRD;
  if (!b.value_HRD.is_same(b.key_HRD)) call.value_bases = b.value_HRD;
  switch (*options_.memory) {
    case MemoryKind::kShared:
      call.memory = "shared";
      break;
    case MemoryKind::kKeyValue:
      call.memory = "key_value";
      break;
    case MemoryKind::kSlots:
    case MemoryKind::kAddress:
      return false;
    case MemoryKind::kContext:
      if (b.rows_HRX.size(0) != 1) return false;  // projections of a head each
      call.memory = "projected";
      Tensor tokens = in["tokens"];
      if (in.key_mask.defined()) tokens = hide_rows(tokens, in.key_mask, 1);
      call.projected = torch::matmul(to_compute(tokens), b.rows_HRX[0].t());
  }
  if (options_.has_decay()) {
    call.decay = options_.row_decays().to(call.key_bases.scalar_type()).expand({options_.bases});
  }
  return true;
}

std::string Lavo::not_fused(const CallFacts& call) const {
  const bool local = options_.dissect && !is_cross(call.pattern) &&
                     (mix_logit_.defined() || options_.mix.number > 0);
  if (call.streaming && !call.device.is_cpu()) return "streams are fused on the CPU alone";
  AttendFacts facts = facts_of(call);
  if (local) {
    facts.window = options_.window;
    facts.look_back = options_.look_back;
  }
  facts.R = options_.bases;
  facts.decay = options_.has_decay();
  switch (*options_.memory) {
    case MemoryKind::kShared:
      facts.memory = "shared";
      break;
    case MemoryKind::kKeyValue:
      facts.memory = "key_value";
      break;
    case MemoryKind::kContext:
      facts.memory = "projected";
      break;
    case MemoryKind::kSlots:
    case MemoryKind::kAddress:
      return "memory slots and address are composed";
  }
  const bool global = !local || mix_logit_.defined() || options_.mix.number < 1;
  if (!global) facts.memory = "none";
  facts.one_bases =
      options_.memory != MemoryKind::kContext && options_.global_scale == GlobalScale::kNone;
  return attend_refusal(facts);
}

Tensor Lavo::attend_fused(const Inputs& in, State* state) {
  if (options_.has_addresses()) return {};
  AttendInputs call{.query = in.query,
                    .key = in.key,
                    .value = in.value,
                    .weights = part_weights(in),
                    .key_mask = in.key_mask,
                    .causal = in.causal,
                    .cross = in.is_cross()};
  if (has_local(in)) {
    call.window = options_.window;
    call.look_back = options_.look_back;
    if (relative_bias_.defined()) call.bias = to_compute(relative_bias_);
  }
  if ((has_global(in) && !add_memory(in, call)) || !can_attend(call)) return {};
  if (!state) return lavo::attend(call);
  if (!can_stream(call)) return {};
  auto& carried = static_cast<LavoState&>(*state);
  AttendStream stream;
  carry(carried, call, stream);
  return attend_piece(call, stream, carried.window, state->position);
}

}  // namespace lavo
