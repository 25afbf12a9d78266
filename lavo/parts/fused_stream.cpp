// SPDX-License-Identifier: MIT
#include "lavo/parts/fused_stream.h"

#include "lavo/parts/local_window.h"

namespace lavo {

AttendFacts facts_of(const CallFacts& call) {
  const Shape& s = call.shape;
  return {.device = call.device,
          .type = call.type,
          .B = s.B,
          .H = s.H,
          .T = s.T,
          .S = s.S,
          .D = s.D,
          .E = s.E,
          .causal = is_causal(call.pattern),
          .cross = is_cross(call.pattern)};
}

bool can_stream(const AttendInputs& in) {
  if (!in.query.device().is_cpu()) return false;
  if (!torch::GradMode::is_enabled()) return true;
  for (const Tensor& x : {in.query, in.key, in.value, in.weights, in.key_bases, in.value_bases,
                          in.projected, in.bias}) {
    if (x.defined() && x.requires_grad()) return false;
  }
  return true;
}

Tensor attend_piece(AttendInputs piece, AttendStream& stream, KeyValueCache& window,
                    int64_t position) {
  const int64_t T = piece.query.size(2);
  stream.position = position;
  if (piece.window == 0) return attend_piece(piece, stream);
  const Windows windows{piece.window, piece.look_back, true};
  window.append(piece.key, piece.value, piece.key_mask);
  piece.key = window.key();
  piece.value = window.value();
  piece.key_mask = window.mask();
  stream.past = piece.key.size(2) - T;
  const Tensor output = attend_piece(piece, stream);
  window.keep_last(windows.kept(position + T));
  return output;
}

}  // namespace lavo
