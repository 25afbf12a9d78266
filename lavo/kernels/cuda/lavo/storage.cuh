// SPDX-License-Identifier: MIT
// Shared memory of LAVO's kernels.
#pragma once

#include "lavo/kernels/cuda/lavo/parts.cuh"

namespace lavo::cuda {

/// Keys that the rows of one warp may see, and the queries that see its keys: whole operands of 16.
LAVO_BOTH int window_span(int window) { return window < 16 ? 16 : window; }

template <class C, bool kBackward>
struct Storage {
  using T = typename C::T;
  Tile<T> q, k, v;                 // [64][D]
  Tile<T> g;                       // [64][D] the output's gradient
  Tile<T> key_bases, value_bases;  // [R][D], the same one but for context memory
  Tile<T> staged;                  // [64][R] an operand that other warps read
  Tile<T> prob, score_gradient;    // [64][span] of the windows
  float* totals;                   // [4][means * R]
  float* carry;                    // [means * R]
  float* suffix;                   // [means * R] sums of gradients after the tile
  float* exchange;                 // [3][sides][64], and scratch of one float a thread
  float* bias;                     // [2 window - 1]
  int* counts;                     // [65]
  std::size_t bytes = 0;

  LAVO_BOTH Storage(unsigned char* base, int window) {
    constexpr bool kStages = C::kHasMemory && (kBackward || C::kSides > 1);
    constexpr int kBasesRows = C::kHasMemory ? C::kR : 0;
    constexpr int kColumns = C::kHasMemory ? C::kMeans * C::kR : 0;
    const int span = window_span(window), window_rows = kBackward ? kTileRows : 0;
    q = tile(base, kTileRows, C::kD);
    k = tile(base, kTileRows, C::kD);
    v = tile(base, kTileRows, C::kD);
    g = tile(base, kBackward ? kTileRows : 0, C::kD);
    key_bases = tile(base, kBasesRows, C::kD);
    value_bases = C::kHasContext ? tile(base, kBasesRows, C::kD) : key_bases;
    staged = tile(base, kStages ? kTileRows : 0, C::kR);
    prob = tile(base, window_rows, span);
    score_gradient = tile(base, window_rows, span);
    totals = take<float>(base, kRowWarps * kColumns);
    carry = take<float>(base, kColumns);
    suffix = take<float>(base, kBackward ? kColumns : 0);
    exchange = take<float>(base, 3 * C::kSides * kTileRows);
    bias = take<float>(base, 2 * window);
    counts = take<int>(base, kTileRows + 1);
  }

 private:
  template <class E>
  LAVO_BOTH E* take(unsigned char* base, int count) {
    E* const mine = reinterpret_cast<E*>(base + bytes);
    bytes += (static_cast<std::size_t>(count) * sizeof(E) + 15) / 16 * 16;
    return mine;
  }
  LAVO_BOTH Tile<T> tile(unsigned char* base, int rows, int columns) {
    const int stride = padded<T>(columns);
    return {take<T>(base, rows * stride), stride};
  }
};

template <class C, bool kBackward>
std::size_t storage_bytes(int window) {
  auto* anywhere = reinterpret_cast<unsigned char*>(std::uintptr_t{16});
  return Storage<C, kBackward>(anywhere, window).bytes;
}

}  // namespace lavo::cuda
