// SPDX-License-Identifier: MIT
// What the kernels of LAVO, and of local attention, are called with. Letters as in
// lavo/core/mechanism.h. No LibTorch here: pointers, sizes and strides.
#pragma once

#include "lavo/kernels/cpu/engine/isa.h"
#include "lavo/kernels/cpu/engine/parallel.h"
#include "lavo/kernels/cpu/engine/tokens.h"

namespace lavo::cpu {

/// What the means of the memory are taken of.
enum class MemorySource {
  kNone,      ///< no memory: local attention alone
  kShared,    ///< B v, for keys and values
  kKeyValue,  ///< B k for keys, B v for values
  kProjected  ///< numbers that are projected already, the same for every head
};

/// Over which tokens.
enum class MeanKind { kWhole, kRunning, kDecaying };

/// o_t = w_global B_V^T (p_t (.) h^V_t) + w_local sum_j a_tj v_j;
/// p_t = softmax_i(h^K_ti (B_K q_t)_i / sqrt(D));
/// a_t = softmax_j(q_t . k_j / sqrt(D) + bias[t - j + W - 1]) over t's window.
struct LavoCall {
  Storage storage = Storage::kFloat32;
  int64_t B = 1, H = 1, T = 1, S = 1, D = 1, E = 1;
  Tokens query, key, value;       ///< widths D, D, E
  const bool* visible = nullptr;  ///< [B, S]; null: every key is real
  int64_t past = 0;               ///< keys before the first query's own, of a stream
  int64_t first = 0;              ///< position of the first query
  const void* weights = nullptr;  ///< [2, H]: of the memory, of the window

  MemorySource source = MemorySource::kNone;  ///< with a memory E = D
  MeanKind mean = MeanKind::kWhole;
  int64_t R = 0;
  const void* key_bases = nullptr;  ///< [H or 1, R, D]; projects the tokens too
  const void* value_bases = nullptr;
  int64_t bases_head = 0;           ///< stride between heads: R D or 0
  const void* projected = nullptr;  ///< [B, S - past, R]
  const void* decay = nullptr;      ///< [R]

  int64_t window = 0;  ///< 0: no local part
  int64_t look_back = 0;
  bool causal = false;
  const void* bias = nullptr;  ///< [H, (look_back + 2) window - 1]; null: none

  ParallelFor parallel = serial_for;
  int64_t threads = 1;  ///< how many `parallel` uses; no result depends on it
};

/// The running means of a stream, read and advanced.
struct LavoStream {
  double* key_mean = nullptr;    ///< [B, H or 1, R], kKeyValue only
  double* value_mean = nullptr;  ///< [B, H or 1, R]
  double* weight = nullptr;      ///< [B, R] with decay, else [B]: what stands behind the means
};

/// Jobs are chunks of this many tokens. Nothing but the shape decides on them, so that the same
/// bits come out for any number of threads.
inline constexpr int64_t kChunk = 2048;

/// Chunks of the queries; one where a mean decays, for it is followed from the first token on.
inline int64_t lavo_chunks(const LavoCall& call) {
  return call.mean == MeanKind::kDecaying ? 1 : (call.T + kChunk - 1) / kChunk;
}

struct LavoForward {
  LavoCall call;
  Tokens output;  ///< width E
  LavoStream stream;
};

/// Gradients of sum(output * grad_output) for a call without a stream (past and first 0). Those of
/// parameters, in the compute type, are of one chunk of a (batch, head) each, C =
/// lavo_chunks() of them: what calls sums them up.
struct LavoBackward {
  LavoCall call;
  Tokens grad_output;
  Tokens grad_query, grad_key, grad_value;
  void* grad_projected = nullptr;    ///< [B, S, R]
  void* grad_key_bases = nullptr;    ///< [B, H, C, R, D]; null: not wanted
  void* grad_value_bases = nullptr;  ///< the same
  void* grad_bias = nullptr;         ///< [B, H, C, (look_back + 2) window - 1]; null: not wanted
  void* grad_weights = nullptr;      ///< [B, H, C, 2]
};

LAVO_DECLARE_KERNEL(lavo_forward, LavoForward);
LAVO_DECLARE_KERNEL(lavo_backward, LavoBackward);

}  // namespace lavo::cpu
