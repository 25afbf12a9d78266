// SPDX-License-Identifier: MIT
#include "lavo/operators/attend.h"

#include <algorithm>
#include <limits>

#include "lavo/operators/attend_call.h"

namespace lavo {
namespace {

constexpr int64_t kWidestWindow = 16384;  // keys: a tile's weights on them are 1 MiB

at::Tensor run_attend(const AttendInputs& given, const cpu::LavoStream& stream, int64_t past,
                      int64_t first) {
  const AttendInputs in = checked(given, past);
  at::Tensor output = empty_tokens(given.query, given.value);
  cpu::LavoForward forward{cpu_call(in), cpu_tokens(output), stream};
  forward.call.past = past;
  forward.call.first = first;
  if (output.numel() > 0) cpu::lavo_forward(forward);
  return output;
}

Results attend_cpu(const AttendInputs& in) { return {run_attend(in, {}, 0, 0)}; }
Results attend_meta(const AttendInputs& in) { return {empty_tokens(in.query, in.value)}; }

/// What no kernel for the GPU does, whatever the sizes.
std::string composed_on_cuda(const AttendFacts& f) {
  if (f.type == at::kDouble) return "float64 is composed on CUDA";
  if (f.decay) return "means that decay are composed on CUDA";
  if (f.look_back > 0) return "windows that look back are composed on CUDA";
  if (f.cross || f.T != f.S) return "cross attention is composed on CUDA";
  if (f.memory == "none" && f.window == 0) return "neither a memory nor a window is asked for";
  if (f.E != f.D) return "the value width must be that of the query on CUDA";
  if ((f.memory == "shared" || f.memory == "key_value") && !f.one_bases) {
    return "key_bases and value_bases differ only with memory 'projected' on CUDA";
  }
  return "";
}

// So that no end of a piece or of a window overflows.
constexpr int64_t kMostPosition = int64_t{1} << 62;

double* state_data(const at::Tensor& x) { return x.defined() ? x.data_ptr<double>() : nullptr; }

}  // namespace

at::Tensor attend(const AttendInputs& in) { return call_operator(in)[0]; }

std::string attend_refusal(const AttendFacts& facts) {
  const int64_t most = std::numeric_limits<int32_t>::max();
  if (facts.window > most || facts.look_back > most) {
    return "windows and windows looked back on are fewer than 2^31";
  }
  if (facts.memory != "none" && facts.E != facts.D) {
    return "with a memory the value width must be that of the query";
  }
  if (facts.device.is_cpu()) {
    return std::min(facts.S, (facts.look_back + 2) * facts.window) > kWidestWindow
               ? "windows of more than 16384 keys are composed"
               : "";
  }
  if (!facts.device.is_cuda()) {
    return "there are no kernels for " + c10::DeviceTypeName(facts.device.type(), /*lower=*/true);
  }
  std::string why = composed_on_cuda(facts);
#ifdef LAVO_CUDA
  if (why.empty()) why = attend_refusal_cuda(facts);
#endif
  return why;
}

bool can_attend(const AttendInputs& in) {
  return has_kernels(in.query.device().type()) && attend_refusal(facts_of(in)).empty();
}

at::Tensor attend_piece(const AttendInputs& in, AttendStream& stream) {
  require_one_device(in);
  in.validate();
  TORCH_CHECK(stream.past >= 0 && stream.position >= stream.past,
              "lavo::attend: a piece at position ", stream.position, " cannot have ", stream.past,
              " keys before it");
  TORCH_CHECK(stream.position <= kMostPosition, "lavo::attend: a position is at most 2^62, got ",
              stream.position);
  return run_attend(
      in, {state_data(stream.key_mean), state_data(stream.value_mean), state_data(stream.weight)},
      stream.past, stream.position);
}

TORCH_LIBRARY_FRAGMENT(lavo, m) { define<AttendInputs, attend_cpu, attend_meta>(m); }

}  // namespace lavo
