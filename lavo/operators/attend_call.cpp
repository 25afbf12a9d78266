// SPDX-License-Identifier: MIT
#include "lavo/operators/attend_call.h"

#include <ATen/Parallel.h>

#include <limits>

namespace lavo {
namespace {

constexpr auto kName = AttendInputs::kOperator;

cpu::MemorySource source_of(const std::string& memory) {
  if (memory == "none") return cpu::MemorySource::kNone;
  if (memory == "shared") return cpu::MemorySource::kShared;
  if (memory == "key_value") return cpu::MemorySource::kKeyValue;
  TORCH_CHECK(memory == "projected",
              "lavo::attend: memory must be none, shared, key_value or projected, got ", memory);
  return cpu::MemorySource::kProjected;
}

void require_decays(const at::Tensor& decay_R) {
  const at::Tensor decays = decay_R.to(at::kDouble);
  for (int64_t r = 0; r < decays.size(0); ++r) {
    const double decay = decays.const_data_ptr<double>()[r];
    TORCH_CHECK(decay > 0 && decay <= 1, "lavo::attend: every decay must be > 0 and <= 1, got ",
                decay, " for row ", r);
  }
}

bool is_same_memory(const at::Tensor& a, const at::Tensor& b) {
  return a.unsafeGetTensorImpl() == b.unsafeGetTensorImpl() ||
         (a.const_data_ptr() == b.const_data_ptr() && a.sizes() == b.sizes() &&
          a.strides() == b.strides());
}

}  // namespace

void AttendInputs::validate() const {
  const auto require = [](const char* name, int64_t x) {  // products of two fit into 64 bits
    TORCH_CHECK(x >= 0 && x <= std::numeric_limits<int32_t>::max(), kOperator, ": ", name,
                " must be at least 0 and less than 2^31, got ", x);
  };
  require("window", window);
  require("look_back", look_back);
}

AttendInputs checked(AttendInputs in, int64_t past) {
  for (at::Tensor* x : {&in.query, &in.key, &in.value}) {
    TORCH_CHECK(x->dim() == 4 && x->scalar_type() == in.query.scalar_type() &&
                    x->size(0) == in.query.size(0) && x->size(1) == in.query.size(1),
                "lavo::attend: query, key and value must be [batch, heads, tokens, width] of one "
                "type, got ",
                in.query.sizes(), ", ", in.key.sizes(), ", ", in.value.sizes());
    *x = with_dense_rows(*x);
  }
  const int64_t B = in.query.size(0), H = in.query.size(1), S = in.key.size(2),
                D = in.query.size(3);
  TORCH_CHECK(in.key.size(3) == D && in.value.size(2) == S && S > 0, "lavo::attend: key ",
              in.key.sizes(), " and value ", in.value.sizes(), " do not go with query ",
              in.query.sizes());
  storage_of(kName, in.query);
  const at::ScalarType type = kernel_compute_type(in.query);
  in.weights = side_input(kName, in.weights, "weights", type, {2, H});
  const cpu::MemorySource source = source_of(in.memory);
  if (source != cpu::MemorySource::kNone) {
    TORCH_CHECK(in.value.size(3) == D, "lavo::attend: with a memory the value width must be ", D,
                ", got ", in.value.size(3));
    in.key_bases = side_input(kName, in.key_bases, "key_bases", type, {-1, -1, D});
    const int64_t heads = in.key_bases.size(0), R = in.key_bases.size(1);
    TORCH_CHECK(heads == 1 || heads == H, "lavo::attend: key_bases must be of 1 or ", H,
                " heads, got ", heads);
    in.value_bases = in.value_bases.defined()
                         ? side_input(kName, in.value_bases, "value_bases", type, {heads, R, D})
                         : in.key_bases;
    if (source == cpu::MemorySource::kProjected) {
      in.projected = side_input(kName, in.projected, "projected", type, {B, S - past, R});
    }
    if (in.decay.defined()) {
      in.decay = side_input(kName, in.decay, "decay", type, {R});
      if (in.decay.is_cpu()) require_decays(in.decay);
    }
  }
  TORCH_CHECK(!(in.cross && in.window > 0),
              "lavo::attend: window must be 0 with cross attention, got ", in.window);
  TORCH_CHECK(in.cross || in.query.size(2) + past == S, "lavo::attend: ", in.query.size(2),
              " queries after ", past, " keys, but ", S, " keys in self attention");
  TORCH_CHECK(!in.decay.defined() || (in.causal && !in.cross),
              "lavo::attend: decay needs causal self attention");
  if (in.bias.defined()) {
    const int64_t length = (in.look_back + 2) * in.window - 1;
    in.bias = side_input(kName, in.bias, "bias", type, {H, in.window > 0 ? length : -1});
  }
  if (in.key_mask.defined())
    in.key_mask = side_input(kName, in.key_mask, "key_mask", at::kBool, {B, S});
  return in;
}

AttendFacts facts_of(const AttendInputs& in) {
  const bool has_bases = in.key_bases.defined();
  return {.device = in.query.device(),
          .type = in.query.scalar_type(),
          .B = in.query.size(0),
          .H = in.query.size(1),
          .T = in.query.size(2),
          .S = in.key.size(2),
          .D = in.query.size(3),
          .E = in.value.size(3),
          .R = has_bases ? in.key_bases.size(1) : 1,
          .memory = in.memory,
          .window = in.window,
          .look_back = in.look_back,
          .causal = in.causal,
          .cross = in.cross,
          .decay = in.decay.defined(),
          .one_bases = !has_bases || !in.value_bases.defined() ||
                       is_same_memory(in.key_bases, in.value_bases)};
}

cpu::LavoCall cpu_call(const AttendInputs& in) {
  cpu::LavoCall call;
  call.storage = storage_of(kName, in.query);
  call.B = in.query.size(0);
  call.H = in.query.size(1);
  call.T = in.query.size(2);
  call.S = in.key.size(2);
  call.D = in.query.size(3);
  call.E = in.value.size(3);
  call.query = cpu_tokens(in.query);
  call.key = cpu_tokens(in.key);
  call.value = cpu_tokens(in.value);
  call.visible = in.key_mask.defined() ? in.key_mask.const_data_ptr<bool>() : nullptr;
  call.weights = in.weights.const_data_ptr();
  call.source = source_of(in.memory);
  if (call.source != cpu::MemorySource::kNone) {
    call.mean = in.decay.defined()       ? cpu::MeanKind::kDecaying
                : in.causal && !in.cross ? cpu::MeanKind::kRunning
                                         : cpu::MeanKind::kWhole;
    call.R = in.key_bases.size(1);
    call.bases_head = in.key_bases.size(0) == 1 ? 0 : call.R * call.D;
    call.key_bases = in.key_bases.const_data_ptr();
    call.value_bases = in.value_bases.const_data_ptr();
    call.projected =
        call.source == cpu::MemorySource::kProjected ? in.projected.const_data_ptr() : nullptr;
    call.decay = data_or_null(in.decay);
  }
  call.window = in.window;
  call.look_back = in.look_back;
  call.causal = in.causal;
  call.bias = in.window > 0 ? data_or_null(in.bias) : nullptr;
  call.parallel = cpu_parallel_for;
  call.threads = at::get_num_threads();
  return call;
}

AttendGradients empty_gradients(const AttendBackward& call) {
  const AttendInputs& in = call.in;
  const auto like = [](const at::Tensor& x) { return x.defined() ? empty_contiguous(x) : x; };
  AttendGradients g{empty_tokens(in.query, in.query), empty_tokens(in.key, in.key),
                    empty_tokens(in.value, in.value), like(in.weights)};
  if (in.memory != "none" && call.wants_bases) {
    g.key_bases = like(in.key_bases);
    g.value_bases = like(in.value_bases);
  }
  if (in.memory == "projected") g.projected = like(in.projected);
  if (in.window > 0) g.bias = like(in.bias);
  return g;
}

}  // namespace lavo
