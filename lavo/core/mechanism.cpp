// SPDX-License-Identifier: MIT
#include "lavo/core/mechanism.h"

#include "lavo/core/check.h"
#include "lavo/core/pieces.h"

namespace lavo {
namespace {

// Sums are kept in float32 or wider, also inside an autocast region: it would turn their matrix
// products back into 16 bits.
using WithoutAutocast = c10::impl::ExcludeDispatchKeyGuard;

}  // namespace

void Mechanism::check_call(const Inputs& in, const State* state) const {
  check_inputs(in, inputs(), kind());
  const Pattern pattern = in.pattern();
  const std::string refusal = patterns().refusal[static_cast<size_t>(pattern)];
  require<ShapeError>(refusal.empty(), "{}: {} attention is refused: {}", kind(),
                      pattern_text(pattern), refusal);
  require<ShapeError>(!state || pattern == Pattern::kCausalSelf,
                      "{}: streaming is causal self attention, got {}", kind(),
                      pattern_text(pattern));
  require<ShapeError>(!state || !in.cu_seqlens.defined(),
                      "{}: cu_seqlens is for whole sequences, a stream is of one document", kind());
  check(in, state);
}

Tensor Mechanism::attend_either(const Inputs& given, State* state) {
  check_call(given, state);
  const WithoutAutocast guard(c10::autocast_dispatch_keyset);
  Inputs in = with_all_heads(given);
  if (in.key_mask.defined()) in.key_mask = in.key_mask.to(torch::kBool);
  // Kernels advance a state without a history of gradients.
  const bool follows_state = state && c10::GradMode::is_enabled() && state->requires_grad();
  const bool may_fuse = implementation_ == Implementation::kFused && !follows_state;
  const Tensor fused = may_fuse ? attend_fused(in, state) : Tensor();
  fused_call_ = fused.defined();
  if (fused_call_) return fused;
  return attend(hide_padding(in, inputs()), state).to(in.query.scalar_type());
}

Tensor Mechanism::forward(const Inputs& in) {
  if (!in.cu_seqlens.defined()) return attend_either(in, nullptr);
  check_call(in, nullptr);
  Pieces outputs(in.query.size(2));
  for (const Inputs& document : documents(kind(), in)) {
    outputs.add(attend_either(document, nullptr));
  }
  return outputs.result();
}

Tensor Mechanism::forward(const Inputs& in, State& state) {
  const Tensor out = attend_either(in, &state);
  state.detach();
  state.position += in.query.size(2);
  return out;
}

Tensor Mechanism::reference(const Inputs& in, const std::vector<int64_t>& rows) {
  check_call(in, nullptr);
  const c10::AutoGradMode mode(in.requires_grad() && c10::GradMode::is_enabled());
  Inputs wide = with_all_heads(in).to(torch::kFloat64);
  if (wide.key_mask.defined()) wide.key_mask = wide.key_mask.to(torch::kBool);
  return wide.cu_seqlens.defined() ? attend_rows_packed(wide, rows) : attend_rows(wide, rows);
}

Tensor Mechanism::attend_rows_packed(const Inputs& in, const std::vector<int64_t>& rows) {
  std::vector<Tensor> outputs(rows.size());
  int64_t begin = 0;
  for (const Inputs& document : documents(kind(), in)) {
    const int64_t end = begin + document.query.size(2);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (begin <= rows[i] && rows[i] < end) {
        outputs[i] = attend_rows(document, {rows[i] - begin});
      }
    }
    begin = end;
  }
  return torch::cat(outputs, 2);
}

}  // namespace lavo
