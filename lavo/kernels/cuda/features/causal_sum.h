// SPDX-License-Identifier: MIT
// The core of the causal linear attentions on the GPU: raw pointers, sizes and a stream.
#pragma once

#include "lavo/kernels/cuda/engine/rows.h"

namespace lavo::cuda {

constexpr int kCausalColumns = 64;

struct CausalSumShape {
  int batch = 1, heads = 1;
  int64_t length = 1;
  int features = 64;  ///< M: a multiple of 8 up to 64; sums over more features are sums of calls
  int width = 64;     ///< E: a multiple of 8 up to 64
  bool reverse = false;
};

/// Why the kernels do not take this shape; null when they do.
const char* why_not(const CausalSumShape& shape);

/// Floats of scratch.
int64_t causal_sum_floats(const CausalSumShape& shape);

/// out_t = sum_{j<=t} (q_t . k_j) v_j, or over j >= t in reverse: q, k (batch, heads, length, M), v
/// and out (batch, heads, length, E), all float32: features are, and sums leave the range of 16
/// bits. O(n (64 (M + E) + M E)) time in matrix products; sums of chunks are added with
/// compensation, inside a chunk (128 tokens up to 2^14 of them, then 1/128 of all) tile by tile.
/// Three launches: sums of k v^T over chunks, their prefixes, all the rest.
///
/// The gradients are such sums too: dq = sums of (dout, v, k), dk = reverse sums of (v, dout, q),
/// dv = reverse sums of (k, q, dout).
int causal_sum(const CausalSumShape& shape, const Rows& query, const Rows& key, const Rows& value,
               const Rows& output, float* scratch, Stream stream);

}  // namespace lavo::cuda
