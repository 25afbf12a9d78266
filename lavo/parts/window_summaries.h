// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

/// Keys and values in the compute type, of tokens or of what stands for chunks of them; mask (B,S),
/// true = real, or undefined.
struct KeyValueRows {
  Tensor key, value, mask;
  KeyValueRows narrow(int64_t first, int64_t count) const;
};

/// One softmax over the tokens of a query's own window and over summaries of all earlier windows:
/// the parts of EVA (baselines/eva.h).
///
/// Windows are aligned to the sequence, chunks to the windows. mu and phi (H,D) are in the compute
/// type, scale is D^(-1/2).
struct WindowSummaries {
  Tensor mu, phi;
  double scale;
  int64_t window, chunk;

  int64_t per_window() const { return window / chunk; }

  /// For each chunk of tokens, a multiple of `chunk`, one row; the mask tells which have a real
  /// token:
  ///
  ///   kbar = sum_j softmax_j(mu . k_j) k_j
  ///   vbar = sum_j softmax_j(scale (phi . k_j - |k_j|^2 / 2)) v_j
  KeyValueRows of(const KeyValueRows& tokens) const;

  /// Of queries (B,H,n,D) in the window that `rows` end with: each sees every row up to its own.
  Tensor attend_open_window(const Tensor& query, const KeyValueRows& rows) const;

  /// Of queries (B,H,n,D) from a window's begin on, with their own tokens. `chunks` are those of
  /// all earlier windows and, behind them, of the windows that these tokens finish. In tiles, a
  /// multiple of `window`: beyond inputs and gradients it needs the memory of one.
  Tensor attend_windows(const Tensor& query, const KeyValueRows& tokens, const KeyValueRows& chunks,
                        int64_t tile) const;
};

}  // namespace lavo
