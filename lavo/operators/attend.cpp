// SPDX-License-Identifier: MIT
#include "lavo/operators/attend.h"

#include <ATen/autocast_mode.h>
#include <torch/library.h>

#include <limits>

#include "lavo/operators/attend_schema.h"

namespace lavo {
namespace {

constexpr int64_t kWidestWindow = 16384;  // keys: a tile's weights on them are 1 MiB

at::Tensor run(const AttendInputs& given, const cpu::LavoStream& stream, int64_t past,
               int64_t first) {
  const AttendInputs in = checked(given, past);
  at::Tensor output = empty_output(in);
  cpu::LavoForward forward{cpu_call(in), cpu_tokens(output), stream};
  forward.call.past = past;
  forward.call.first = first;
  if (output.numel() > 0) cpu::lavo_forward(forward);
  return output;
}

at::Tensor attend_cpu(const AttendInputs& in) { return run(in, {}, 0, 0); }
at::Tensor attend_meta(const AttendInputs& in) { return empty_output(in); }

/// Tokens in the region's 16 bits, everything else in float32 as the kernels want it.
at::Tensor attend_autocast(const AttendInputs& given) {
  const c10::impl::ExcludeDispatchKeyGuard guard(c10::autocast_dispatch_keyset);
  AttendInputs in = given;
  const auto device = in.query.device().type();
  const auto type = at::autocast::get_lower_precision_fp_from_device_type(device);
  for (at::Tensor* x : {&in.query, &in.key, &in.value}) {
    *x = at::autocast::cached_cast(type, *x, device);
  }
  for (at::Tensor* x :
       {&in.weights, &in.key_bases, &in.value_bases, &in.projected, &in.bias, &in.decay}) {
    if (x->defined()) *x = at::autocast::cached_cast(at::kFloat, *x, device);
  }
  return attend(in);
}

double* state_data(const at::Tensor& x) { return x.defined() ? x.data_ptr<double>() : nullptr; }

}  // namespace

at::Tensor attend(const AttendInputs& in) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("lavo::attend", "").typed<AttendOp::Forward>();
  return with_arguments(in, [](const auto&... arguments) { return op.call(arguments...); });
}

std::string attend_refusal(const AttendFacts& facts) {
  const int64_t most = std::numeric_limits<int32_t>::max();
  if (facts.window > most || facts.look_back > most) {
    return "windows and windows looked back on are fewer than 2^31";
  }
  if (facts.memory != "none" && facts.E != facts.D) {
    return "with a memory the value width must be that of the query";
  }
  if (facts.device == at::kCPU) {
    return std::min(facts.S, (facts.look_back + 2) * facts.window) > kWidestWindow
               ? "windows of more than 16384 keys are composed"
               : "";
  }
#ifdef LAVO_CUDA
  if (facts.device == at::kCUDA) return attend_refusal_cuda(facts);
#endif
  return "this build has no kernels for " + c10::DeviceTypeName(facts.device, /*lower=*/true);
}

bool can_attend(const AttendInputs& in) { return attend_refusal(facts_of(in)).empty(); }

at::Tensor attend_piece(const AttendInputs& in, AttendStream& stream) {
  return run(
      in, {state_data(stream.key_mean), state_data(stream.value_mean), state_data(stream.weight)},
      stream.past, stream.position);
}

TORCH_LIBRARY_FRAGMENT(lavo, m) {
  m.def((std::string("attend(") + kAttendArguments + ") -> Tensor").c_str());
}
TORCH_LIBRARY_IMPL(lavo, CPU, m) { m.impl("attend", TORCH_FN(AttendOp::forward<attend_cpu>)); }
TORCH_LIBRARY_IMPL(lavo, Meta, m) { m.impl("attend", TORCH_FN(AttendOp::forward<attend_meta>)); }
TORCH_LIBRARY_IMPL(lavo, AutocastCPU, m) {
  m.impl("attend", TORCH_FN(AttendOp::forward<attend_autocast>));
}
TORCH_LIBRARY_IMPL(lavo, AutocastCUDA, m) {
  m.impl("attend", TORCH_FN(AttendOp::forward<attend_autocast>));
}

}  // namespace lavo
