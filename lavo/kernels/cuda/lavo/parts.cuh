// SPDX-License-Identifier: MIT
// What LAVO's forward and backward kernels share: sizes, arguments, positions, statistics of rows.
#pragma once

#include "lavo/kernels/cuda/engine/block.cuh"
#include "lavo/kernels/cuda/lavo/call.h"

namespace lavo::cuda {

/// One instance of the kernels. A tile of 64 tokens is worked on by 4 warps of 16 rows times
/// kSides that divide the columns (R of the memory, then D of the outputs): two where the columns
/// of one warp would not fit in registers.
template <class T_, Memory kMemory_, int kD_, int kR_>
struct Instance {
  using T = T_;
  static constexpr Memory kMemory = kMemory_;
  static constexpr bool kHasMemory = kMemory != Memory::kNone;
  static constexpr bool kHasContext = kMemory == Memory::kContext;
  static constexpr int kD = kD_, kR = kR_;
  static constexpr int kMeans = kMemory == Memory::kKeyValue ? 2 : 1;
  static constexpr int kBasesSets = kHasContext ? 2 : 1;
  static constexpr int kSides =
      kHasMemory && (kD > 64 || kR * (kMemory == Memory::kShared ? 1 : 2) > 64) ? 2 : 1;
  static constexpr int kWarps = kRowWarps * kSides, kThreads = 32 * kWarps;
  // 16 warps on an SM hide the latency of memory, as long as 128 registers are enough.
  static constexpr int kForwardBlocks = kR * kMeans > 128 ? 1 : 512 / kThreads;
  static constexpr int kSideR = kR / kSides, kSideD = kD / kSides;
  static constexpr int kBlocksR = kSideR / 8, kBlocksD = kSideD / 8;  // accumulators of 8 columns
  static_assert(kSideR % 16 == 0 && kSideD % 16 == 0, "operands are 16 wide");
};

/// A chunk is walked by one block, tile by tile.
struct Walk {
  int64_t length;
  int chunk_tiles;
  int chunks;
};

struct LavoArguments {
  LavoInputs in;
  Walk walk;
  const float* sums;
  float scale;
  int bases;
  int window;
  bool causal, window_part;
};

/// Where this warp works: the first of its 16 rows, its side, and that side's first columns.
template <class C>
struct Place {
  int row_warp, side, row, r, d;

  LAVO_DEVICE explicit Place(int warp)
      : row_warp(warp % kRowWarps),
        side(warp / kRowWarps),
        row(row_warp * 16),
        r(side * C::kSideR),
        d(side * C::kSideD) {}
};

/// Two rows of an accumulator: `low` is lane_row(), `high` eight rows on.
struct TwoRows {
  float low, high;

  LAVO_DEVICE float of(int e) const { return e < 2 ? low : high; }
  LAVO_DEVICE float& of(int e) { return e < 2 ? low : high; }
};

/// The real tokens' counts of a batch, null where none is padded.
LAVO_DEVICE const int32_t* counts_of(const LavoArguments& a, int batch) {
  return a.in.real_counts == nullptr ? nullptr : a.in.real_counts + batch * a.walk.length;
}

/// The factors of the memory's part (low) and of the window's part (high).
LAVO_DEVICE TwoRows weights_of(const LavoArguments& a, int head) {
  if (a.in.weights == nullptr) return {0.5f, 0.5f};
  return {a.in.weights[2 * head], a.in.weights[2 * head + 1]};
}

/// Softmax of rows in pieces: the largest score, the sum of exp(score - max), and the sum of
/// exp(score - max) * gradient, which the backward pass divides by `sum`.
struct RowStatistics {
  TwoRows max{-INFINITY, -INFINITY}, sum{0, 0}, dot{0, 0};
};

LAVO_DEVICE float finite_max(float max) { return max == -INFINITY ? 0 : max; }
LAVO_DEVICE float inverse(float sum) { return sum > 0 ? 1 / sum : 0; }

/// Adds a piece whose maximum over the row is `max`, sum `sum`, and dot product `dot`.
LAVO_DEVICE void merge(RowStatistics& s, int e, float max, float sum, float dot) {
  const float larger = fmaxf(s.max.of(e), max), to = finite_max(larger);
  const float before = prim::exp(s.max.of(e) - to), now = prim::exp(max - to);
  s.sum.of(e) = s.sum.of(e) * before + sum * now;
  s.dot.of(e) = s.dot.of(e) * before + dot * now;
  s.max.of(e) = larger;
}

/// The statistics of all sides' columns. `exchange` has 3 x kSides x 64 floats; a barrier later it
/// may be used again.
template <class C>
LAVO_DEVICE void merge_sides(RowStatistics& s, float* exchange, const Place<C>& place) {
  if constexpr (C::kSides > 1) {
    const int row = place.row + lane_row();
    auto at = [&](int what, int side, int e) -> float& {
      return exchange[(what * C::kSides + side) * kTileRows + row + (e < 2 ? 0 : 8)];
    };
    if (lane_pair() == 0) {
#pragma unroll
      for (int e = 0; e < 4; e += 2) {
        at(0, place.side, e) = s.max.of(e);
        at(1, place.side, e) = s.sum.of(e);
        at(2, place.side, e) = s.dot.of(e);
      }
    }
    __syncthreads();
    s = RowStatistics{};
#pragma unroll
    for (int side = 0; side < C::kSides; ++side)
#pragma unroll
      for (int e = 0; e < 4; e += 2) merge(s, e, at(0, side, e), at(1, side, e), at(2, side, e));
  }
}

/// counts[i] = real tokens before row i of the tile, i <= 64. No barrier.
template <int kThreads>
LAVO_DEVICE void load_counts(int* counts, const int32_t* real_counts, int64_t t0, int64_t length) {
  for (int i = thread_id(); i <= kTileRows; i += kThreads) {
    const int64_t before = t0 + i < length ? t0 + i : length;
    counts[i] = real_counts == nullptr ? static_cast<int>(before)
                : before == 0          ? 0
                                       : real_counts[before - 1];
  }
}

}  // namespace lavo::cuda
