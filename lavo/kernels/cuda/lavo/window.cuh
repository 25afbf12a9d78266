// SPDX-License-Identifier: MIT
// The window's part: softmax attention of a token to its own window, 16 keys at a time. The blocks
// of keys are gone through twice, for the statistics of the rows and, backwards, for the result;
// with a window of at most 16 tokens there is one block, and nothing is computed twice.
#pragma once

#include "lavo/kernels/cuda/lavo/storage.cuh"

namespace lavo::cuda {

struct Window {
  int shift;        ///< window = 2^shift
  int first, last;  ///< key blocks of a warp's rows: first, first + 16 ... last
  bool causal;
  float scale;

  LAVO_DEVICE Window(const LavoArguments& a, int row) : causal(a.causal), scale(a.scale) {
    const int span = window_span(a.window);
    shift = 0;
    while (1 << shift < a.window) ++shift;
    first = row / span * span;
    last = causal ? row : first + span - 16;
  }
};

/// l = s q k^T + bias where the key is visible, -inf elsewhere: 16 rows, 16 keys from key_row on.
template <int kD, class S>
LAVO_DEVICE void window_scores(float (&l)[2][4], const S& s, const Window& window, int row,
                               int key_row) {
#pragma unroll
  for (int e = 0; e < 8; ++e) l[e / 4][e % 4] = 0;
  const Tile<typename S::T> left[1] = {s.q};
  multiply_add_rows<kD>(&l, left, row, s.k, key_row);
#pragma unroll
  for (int block = 0; block < 2; ++block)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int i = row + lane_row() + e / 2 * 8, j = key_row + block * 8 + lane_pair() + e % 2;
      const bool visible = i >> window.shift == j >> window.shift && (!window.causal || j <= i) &&
                           s.counts[j + 1] > s.counts[j];
      const int offset = i - j + (1 << window.shift) - 1;
      l[block][e] = visible ? l[block][e] * window.scale + s.bias[offset] : -INFINITY;
    }
}

/// Adds a block of scores, and with gradients `dp` of the probabilities, to the statistics.
LAVO_DEVICE void add_scores(RowStatistics& all, const float (&l)[2][4], const float (*dp)[4]) {
#pragma unroll
  for (int half = 0; half < 4; half += 2) {
    const float max =
        row_max(fmaxf(fmaxf(l[0][half], l[0][half + 1]), fmaxf(l[1][half], l[1][half + 1])));
    float sum = 0, dot = 0;
#pragma unroll
    for (int block = 0; block < 2; ++block)
#pragma unroll
      for (int e = half; e < half + 2; ++e) {
        const float p = prim::exp(l[block][e] - finite_max(max));
        sum += p;
        if (dp != nullptr) dot += p * dp[block][e];
      }
    merge(all, half, max, row_sum(sum), dp != nullptr ? row_sum(dot) : 0);
  }
}

/// o(i, j) += weight sum_key softmax(l)(i, key) v(key, j), for this side's columns.
template <class C, class S>
LAVO_DEVICE void add_window(float (&o)[C::kBlocksD][4], const S& s, const Window& window,
                            float weight, const Place<C>& place) {
  RowStatistics all;
  float l[2][4];
  for (int key = window.first; key <= window.last; key += 16) {
    window_scores<C::kD>(l, s, window, place.row, key);
    add_scores(all, l, nullptr);
  }
  const TwoRows factor{weight * inverse(all.sum.low), weight * inverse(all.sum.high)};
  for (int key = window.last; key >= window.first; key -= 16) {
    if (key != window.last) window_scores<C::kD>(l, s, window, place.row, key);
#pragma unroll
    for (int block = 0; block < 2; ++block)
#pragma unroll
      for (int e = 0; e < 4; ++e)
        l[block][e] = prim::exp(l[block][e] - finite_max(all.max.of(e))) * factor.of(e);
    LeftOperand<typename C::T> p;
    from_accumulators(p, l[0], l[1]);
    multiply_add(o, p, s.v, key, place.d);
  }
}

}  // namespace lavo::cuda
