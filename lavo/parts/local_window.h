// SPDX-License-Identifier: MIT
// Softmax attention inside windows with a relative bias: LAVO's local part, and the mechanism
// `local`.
#pragma once

#include <algorithm>

#include "lavo/core/mechanism.h"
#include "lavo/parts/key_value_cache.h"

namespace lavo {

enum class WindowPosition { kRelative, kNone };
inline const std::vector<std::string> kWindowPositions = {"relative", "none"};

/// Which keys a query sees. Query t and key j by position; blocks begin at multiples of `window`.
///
///   causal      max(0, floor(t/W) W - look_back W) <= j <= t
///   noncausal   the same start, up to the end of t's block
struct Windows {
  int64_t window = 16;    ///< W, tokens
  int64_t look_back = 0;  ///< blocks before the query's own
  bool causal = false;

  int64_t first_key(int64_t t) const {
    return std::max<int64_t>(0, (t / window - look_back) * window);
  }
  int64_t end_key(int64_t t) const { return causal ? t + 1 : (t / window + 1) * window; }
  int64_t bias_length() const { return (look_back + 2) * window - 1; }
  /// Tokens that a stream at position t still needs.
  int64_t kept(int64_t t) const { return t - first_key(t); }
};

/// Keys and values with the position of the first one, cut from a longer sequence or not.
struct WindowKeys {
  Tensor key;    ///< [B, H, S, D]
  Tensor value;  ///< [B, H, S, E]
  Tensor mask;   ///< [B, S] bool, true = real; undefined = all real
  int64_t first = 0;
};

/// o_t = sum_j a_tj v_j,  a_t = softmax_j(q_t . k_j / sqrt(D) + bias[h, t - j + W - 1])  over the
/// keys that t sees.
///
/// query (B,H,T,D) from position `first_query` on; bias (H, (look_back + 2) W - 1), or undefined ->
/// (B,H,T,E) in the compute type. A query without a visible key gets zeros. O(T W (look_back + 1))
/// time. Source: "context dissecting" and "embedded position encoding" of arXiv:2312.11135.
Tensor window_attention(const Tensor& query, int64_t first_query, const WindowKeys& keys,
                        const Tensor& bias, const Windows& windows);

/// window_attention of a whole sequence with itself, from position 0 on, in the type of the query:
/// in tiles of whole blocks that the backward pass runs again, so that it needs the memory of one
/// tile beyond the gradients. Padded keys and values are zero.
Tensor window_attention_tiles(const Inputs& in, const Tensor& bias, const Windows& windows);

/// What it costs.
Cost window_cost(const Shape& shape, const Windows& windows);

/// The same for the named rows in float64, query by query. Shares no code with window_attention.
Tensor window_attention_rows(const Inputs& in, const Tensor& bias, const Windows& windows,
                             const std::vector<int64_t>& rows);

/// Appends a piece of a stream to the cache and gives the keys that its queries see.
WindowKeys stream_keys(KeyValueCache& cache, const Inputs& piece, int64_t position);

}  // namespace lavo
