// SPDX-License-Identifier: MIT
// The memory's part: projections on the bases, running means, the softmax over the rows of the
// memory.
#pragma once

#include "lavo/kernels/cuda/lavo/storage.cuh"

namespace lavo::cuda {

/// A warp's 16 rows of projected vectors: kMeans of what is averaged, then s B_K q, then, for
/// gradients, B_V dO.
template <class C, int kCount>
using Projections = float[kCount][C::kBlocksR][4];

/// sum over `count` chunks of B x, into `carry`. This thread's copies of the bases have arrived; a
/// barrier has to follow.
template <class C, class S>
LAVO_DEVICE void sums_before(const LavoArguments& a, const S& s, int batch, int head, int count) {
  if constexpr (C::kHasContext) {
    const float* sums = a.sums + static_cast<int64_t>(batch) * a.walk.chunks * a.bases;
    sum_chunks<C::kR, C::kThreads>(s.carry, sums, a.bases, count, a.bases, s.exchange);
  } else {
    constexpr int kWidth = C::kMeans * C::kD;
    static_assert(kRowWarps * C::kR >= C::kD, "totals hold a sum for each column of x");
    const int64_t one = static_cast<int64_t>(batch) * gridDim.y + head;
    const float* sums = a.sums + one * a.walk.chunks * kWidth;
    sum_chunks<kWidth, C::kThreads>(s.totals, sums, kWidth, count, kWidth, s.exchange);
    __syncthreads();
    for (int i = thread_id(); i < C::kMeans * C::kR; i += C::kThreads) {
      float sum = 0;
      for (int d = 0; d < C::kD; ++d)
        sum += prim::to_float(*s.key_bases.at(i % C::kR, d)) * s.totals[i / C::kR * C::kD + d];
      s.carry[i] = sum;
    }
  }
}

/// acc = the projections of this warp's rows on its side's bases.
template <class C, int kCount, class S>
LAVO_DEVICE void project(Projections<C, kCount>& acc, const LavoArguments& a, const S& s,
                         const Place<C>& place, int batch, int64_t t0) {
  using T = typename C::T;
  constexpr bool kGradient = kCount > C::kMeans + 1;
#pragma unroll
  for (int m = 0; m < kCount; ++m)
#pragma unroll
    for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
      for (int e = 0; e < 4; ++e) acc[m][block][e] = 0;
  if constexpr (C::kHasContext) {
    const HeadRows<T> y = head_rows<T>(a.in.context, batch, 0);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t t = t0 + place.row + lane_row() + 8 * half;
      if (!is_real(counts_of(a, batch), t, a.walk.length)) continue;
#pragma unroll
      for (int block = 0; block < C::kBlocksR; ++block) {
        const int column = place.r + block * 8 + lane_pair();
        if (column >= a.bases) continue;
        acc[0][block][2 * half] = prim::to_float(y.row(t)[column]);
        acc[0][block][2 * half + 1] = prim::to_float(y.row(t)[column + 1]);
      }
    }
    const Tile<T> query[1] = {s.q};
    multiply_add_rows<C::kD>(acc + 1, query, place.row, s.key_bases, place.r);
    if constexpr (kGradient) {
      const Tile<T> gradient[1] = {s.g};
      multiply_add_rows<C::kD>(acc + 2, gradient, place.row, s.value_bases, place.r);
    }
  } else {
    Tile<T> left[kCount];
    left[0] = C::kMeans == 2 ? s.k : s.v;
    if constexpr (C::kMeans == 2) left[1] = s.v;
    left[C::kMeans] = s.q;
    if constexpr (kGradient) left[C::kMeans + 1] = s.g;
    multiply_add_rows<C::kD>(acc, left, place.row, s.key_bases, place.r);
  }
}

/// 1 / (number of real tokens in the mean) for this thread's two rows.
LAVO_DEVICE TwoRows inverse_counts(const LavoArguments& a, const int* counts, int row, int batch) {
  if (!a.causal) {
    const int32_t* real = counts_of(a, batch);
    const float all = static_cast<float>(real == nullptr ? a.walk.length : real[a.walk.length - 1]);
    return {inverse(all), inverse(all)};
  }
  const int* mine = counts + row + lane_row() + 1;
  return {inverse(static_cast<float>(mine[0])), inverse(static_cast<float>(mine[8]))};
}

/// The projected vectors become running means; `carry` moves on to the next tile.
template <class C, int kCount, class S>
LAVO_DEVICE void take_means(Projections<C, kCount>& acc, const LavoArguments& a, const S& s,
                            const Place<C>& place, const TwoRows& inverse_count) {
  constexpr int kColumns = C::kMeans * C::kR;
  if (a.causal) {
#pragma unroll
    for (int m = 0; m < C::kMeans; ++m)
      scan_rows<false>(acc[m], s.totals, kColumns, place.row_warp, m * C::kR + place.r);
    scan_totals<false, C::kThreads>(s.totals, s.carry, kColumns);
  }
  const float* before = a.causal ? s.totals + place.row_warp * kColumns : s.carry;
#pragma unroll
  for (int m = 0; m < C::kMeans; ++m)
#pragma unroll
    for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        float& h = acc[m][block][e];
        const float earlier = before[m * C::kR + place.r + block * 8 + lane_pair() + e % 2];
        h = ((a.causal ? h : 0) + earlier) * inverse_count.of(e);
      }
}

/// The scores' projection times s. Rows of the memory that are only padding get a score that no
/// exponential survives, finite so that its products with zeros are zeros.
template <class C, int kCount>
LAVO_DEVICE void scale_scores(Projections<C, kCount>& acc, const LavoArguments& a,
                              const Place<C>& place) {
#pragma unroll
  for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
    for (int e = 0; e < 4; ++e) acc[C::kMeans][block][e] *= a.scale;
  if (a.bases == C::kR) return;
#pragma unroll
  for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
    for (int e = 0; e < 4; ++e)
      if (place.r + block * 8 + lane_pair() + e % 2 >= a.bases) {
        acc[0][block][e] = 1;
        acc[C::kMeans][block][e] = -1e38f;
      }
}

/// Softmax over the rows of the memory, score = s B_K q (.) h^K: the statistics of this side's
/// columns. Without gradients the scores' projection becomes exp(score - max).
template <class C, int kCount>
LAVO_DEVICE RowStatistics memory_statistics(Projections<C, kCount>& acc) {
  constexpr bool kGradient = kCount > C::kMeans + 1;
  RowStatistics s;
#pragma unroll
  for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
    for (int e = 0; e < 4; ++e)
      s.max.of(e) = fmaxf(s.max.of(e), acc[C::kMeans][block][e] * acc[0][block][e]);
  s.max = {row_max(s.max.low), row_max(s.max.high)};
#pragma unroll
  for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float p = prim::exp(acc[C::kMeans][block][e] * acc[0][block][e] - s.max.of(e));
      s.sum.of(e) += p;
      if constexpr (kGradient)
        s.dot.of(e) += p * acc[C::kMeans - 1][block][e] * acc[C::kMeans + 1][block][e];
      else
        acc[C::kMeans][block][e] = p;
    }
  s.sum = {row_sum(s.sum.low), row_sum(s.sum.high)};
  if constexpr (kGradient) s.dot = {row_sum(s.dot.low), row_sum(s.dot.high)};
  return s;
}

/// acc(i, j) += sum_r values(i, r) bases(r, j), over all sides' r, for this side's columns j.
/// With several sides `values` must have been stored in `staged`, and a barrier passed.
template <class C>
LAVO_DEVICE void multiply_by_bases(float (&acc)[C::kBlocksD][4],
                                   const float (&values)[C::kBlocksR][4],
                                   Tile<typename C::T> staged, Tile<typename C::T> bases,
                                   const Place<C>& place) {
#pragma unroll
  for (int r = 0; r < C::kR; r += 16) {
    LeftOperand<typename C::T> a;
    if constexpr (C::kSides == 1)
      from_accumulators(a, values[r / 8], values[r / 8 + 1]);
    else
      load<false>(a, staged, place.row, r);
    multiply_add(acc, a, bases, r, place.d);
  }
}

}  // namespace lavo::cuda
