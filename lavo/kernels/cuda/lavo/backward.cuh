// SPDX-License-Identifier: MIT
// LAVO backward, second pass: a block walks its chunk from right to left and writes all gradients.
// What belongs to the whole head (bases, bias, weights) is kept in registers over the chunk and
// left in scratch, where reduce.cuh adds it up in a fixed order.
#pragma once

#include "lavo/kernels/cuda/lavo/gradients.cuh"

namespace lavo::cuda {

/// Powers of 2 that keep float16 operands in its range: probabilities are about 1 / R, and the
/// gradients of the means about 1 / t. The other types have the range of float32.
template <class C>
constexpr bool kNarrow = std::is_same<typename C::T, __half>::value;

template <class C>
LAVO_DEVICE float memory_factor() {
  return kNarrow<C> ? static_cast<float>(C::kR) : 1;
}
template <class C>
LAVO_DEVICE float mean_factor(int count) {
  float factor = 1;
  if (kNarrow<C>)
    while (2 * factor <= static_cast<float>(count)) factor *= 2;
  return factor;
}

template <int kBlocks>
LAVO_DEVICE void scale(float (&acc)[kBlocks][4], float factor) {
#pragma unroll
  for (int block = 0; block < kBlocks; ++block)
#pragma unroll
    for (int e = 0; e < 4; ++e) acc[block][e] *= factor;
}

/// The gradient of B (R, D), divided among the block's warps: 16 rows and kColumns columns each.
template <class C>
struct BasesGradient {
  static constexpr int kRowGroups = C::kR / 16;
  static constexpr int kColumnGroups = C::kWarps > kRowGroups ? C::kWarps / kRowGroups : 1;
  static constexpr int kColumns = C::kD / kColumnGroups;
  static_assert(kRowGroups * kColumnGroups == C::kWarps, "every warp has one piece");
  static_assert(kColumns % 16 == 0, "operands are 16 wide");
  float value[kColumns / 8][4] = {};

  LAVO_DEVICE static int row() { return warp_id() % kRowGroups * 16; }
  LAVO_DEVICE static int column() { return warp_id() / kRowGroups * kColumns; }

  /// += staged^T x over the tile's tokens, `staged` being `factor` times too large. Tensor cores
  /// truncate what they add to: float32 adds a tile up from zero, so that a long chunk's sum is
  /// rounded once for each tile and not cut once for each product.
  LAVO_DEVICE void add(Tile<typename C::T> staged, Tile<typename C::T> x, float factor) {
    if constexpr (std::is_same<typename C::T, float>::value) {  // whose digits truncation shows
      float tile[kColumns / 8][4] = {};
      multiply_tile(tile, staged, x);
#pragma unroll
      for (int block = 0; block < kColumns / 8; ++block)
#pragma unroll
        for (int e = 0; e < 4; ++e) value[block][e] += tile[block][e];
    } else {
      if (kNarrow<C>) scale(value, factor);
      multiply_tile(value, staged, x);
      if (kNarrow<C>) scale(value, 1 / factor);
    }
  }
  LAVO_DEVICE static void multiply_tile(float (&to)[kColumns / 8][4], Tile<typename C::T> staged,
                                        Tile<typename C::T> x) {
#pragma unroll 1
    for (int t = 0; t < kTileRows; t += 16) {
      LeftOperand<typename C::T> a;
      load<true>(a, staged, t, row());
      multiply_add(to, a, x, t, column());
    }
  }
  LAVO_DEVICE void write(float* to) const {
#pragma unroll
    for (int block = 0; block < kColumns / 8; ++block)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        prim::store_pair(
            to + (row() + lane_row() + 8 * half) * C::kD + column() + block * 8 + lane_pair(),
            value[block][2 * half], value[block][2 * half + 1]);
  }
};

/// One tile of the memory's part: gradients of the query (into dq), of the means' vectors (into dk
/// and dv, or the context) and of the bases. `carry` holds the suffix sums and moves on.
template <class C, class S>
LAVO_DEVICE float memory_backward(const BackwardArguments& a, const S& s, const Place<C>& place,
                                  int64_t t0, float weight, float (&dq)[C::kBlocksD][4],
                                  float (&dk)[C::kBlocksD][4], float (&dv)[C::kBlocksD][4],
                                  BasesGradient<C> (&bases)[C::kBasesSets]) {
  using T = typename C::T;
  constexpr int kColumns = C::kMeans * C::kR;
  const int batch = static_cast<int>(blockIdx.z), head = static_cast<int>(blockIdx.y);
  Projections<C, C::kMeans + 2> acc;
  project<C>(acc, a.of, s, place, batch, t0);
  const TwoRows inverse_count = inverse_counts(a.of, s.counts, place.row, batch);
  take_means<C>(acc, a.of, s, place, inverse_count);
  const RowStatistics all =
      memory_gradients<C>(acc, a.of, s.exchange, place, inverse_count, weight);

  const auto stage = [&](float(&values)[C::kBlocksR][4], float factor) {
    if (kNarrow<C>) scale(values, factor);
    store(s.staged, place.row, place.r, values);
    __syncthreads();
  };
  const float factor = memory_factor<C>();
  const bool wants_bases = a.to.key_bases != nullptr;
  if (wants_bases) {
    stage(acc[C::kMeans + 1], factor);
    bases[C::kBasesSets - 1].add(s.staged, s.g, factor);
    __syncthreads();
  }
  stage(acc[C::kMeans], factor);
  if (wants_bases) bases[0].add(s.staged, s.q, factor);
  multiply_by_bases<C>(dq, acc[C::kMeans], s.staged, s.key_bases, place);
  if (kNarrow<C>) scale(dq, 1 / factor);

  float* suffix = s.suffix;
#pragma unroll
  for (int m = 0; m < C::kMeans; ++m)
    if (a.of.causal)
      scan_rows<true>(acc[m], s.totals, kColumns, place.row_warp, m * C::kR + place.r);
  if (a.of.causal)
    scan_totals<true, C::kThreads>(s.totals, suffix, kColumns);
  else
    __syncthreads();
  const float* after = a.of.causal ? s.totals + place.row_warp * kColumns : suffix;
  const float mean = mean_factor<C>(s.counts[kTileRows]);
#pragma unroll
  for (int m = 0; m < C::kMeans; ++m) {
#pragma unroll
    for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        float& y = acc[m][block][e];
        const int i = place.row + lane_row() + e / 2 * 8;
        const bool real = s.counts[i + 1] > s.counts[i];
        const float later = after[m * C::kR + place.r + block * 8 + lane_pair() + e % 2];
        y = real ? (a.of.causal ? y : 0) + later : 0;
      }
    if constexpr (C::kHasContext) {
      const HeadRows<T> to = head_rows<T>(a.to.context, batch, head);
#pragma unroll
      for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int column = place.r + block * 8 + lane_pair();
          const int64_t t = t0 + place.row + lane_row() + 8 * half;
          if (column < a.of.bases && t < a.of.walk.length)
            prim::store_pair(to.row(t) + column, acc[m][block][2 * half],
                             acc[m][block][2 * half + 1]);
        }
    } else {
      const Tile<T> x = C::kMeans == 2 && m == 0 ? s.k : s.v;
      auto& dx = C::kMeans == 2 && m == 0 ? dk : dv;
      if (m > 0) __syncthreads();
      stage(acc[m], mean);
      if (wants_bases) bases[0].add(s.staged, x, mean);
      multiply_by_bases<C>(dx, acc[m], s.staged, s.key_bases, place);
      if (kNarrow<C>) scale(dx, 1 / mean);
    }
  }
  const bool counted = place.side == 0 && lane_pair() == 0;
  return counted ? all.dot.low * inverse(all.sum.low) + all.dot.high * inverse(all.sum.high) : 0;
}

/// One tile of the window's part. Adds to dq; leaves the probabilities and the scaled gradients of
/// the scores in shared memory for the keys' owners.
template <class C, class S>
LAVO_DEVICE float window_backward(const S& s, const Window& window, const Place<C>& place,
                                  float weight, float (&dq)[C::kBlocksD][4]) {
  using T = typename C::T;
  RowStatistics all;
  float l[2][4], dp[2][4];
  const auto compute = [&](int key) {
    const Tile<T> left[1] = {s.g};
#pragma unroll
    for (int e = 0; e < 8; ++e) dp[e / 4][e % 4] = 0;
    multiply_add_rows<C::kD>(&dp, left, place.row, s.v, key);
    window_scores<C::kD>(l, s, window, place.row, key);
  };
  for (int key = window.first; key <= window.last; key += 16) {
    compute(key);
    add_scores(all, l, dp);
  }
  const TwoRows normaliser{inverse(all.sum.low), inverse(all.sum.high)};
  const TwoRows delta{all.dot.low * normaliser.low, all.dot.high * normaliser.high};
  for (int key = window.last; key >= window.first; key -= 16) {
    if (key != window.last) compute(key);
#pragma unroll
    for (int block = 0; block < 2; ++block)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float p =
            weight * normaliser.of(e) * prim::exp(l[block][e] - finite_max(all.max.of(e)));
        l[block][e] = p;
        dp[block][e] = p * (dp[block][e] - delta.of(e)) * window.scale;
      }
    if (place.side == 0) {
      store(s.prob, place.row, key - window.first, l);
      store(s.score_gradient, place.row, key - window.first, dp);
    }
    LeftOperand<T> a;
    from_accumulators(a, dp[0], dp[1]);
    multiply_add(dq, a, s.k, key, place.d);
  }
  const bool counted = place.side == 0 && lane_pair() == 0;
  return counted ? delta.low + delta.high : 0;
}

/// Gradients of this warp's 16 keys and values, from the queries that see them.
template <class C, class S>
LAVO_DEVICE void window_keys_backward(const S& s, const Window& window, const Place<C>& place,
                                      float (&dk)[C::kBlocksD][4], float (&dv)[C::kBlocksD][4]) {
  const int end = window.first + window_span(1 << window.shift);
#pragma unroll 1
  for (int t = window.causal ? place.row : window.first; t < end; t += 16) {
    LeftOperand<typename C::T> a;
    load<true>(a, s.score_gradient, t, place.row - window.first);
    multiply_add(dk, a, s.q, t, place.d);
    load<true>(a, s.prob, t, place.row - window.first);
    multiply_add(dv, a, s.g, t, place.d);
  }
}

/// Sum over the tile of the scores' gradients at this thread's offset t - j + window - 1. Threads
/// divide into groups, one for each offset and part of the rows.
template <class C, class S>
LAVO_DEVICE float bias_backward(const S& s, const Window& window) {
  const int w = 1 << window.shift, offsets = 2 * w, span = window_span(w);
  const int distance = thread_id() % offsets - (w - 1), part = thread_id() / offsets;
  const int rows = kTileRows * offsets / C::kThreads > 0 ? kTileRows * offsets / C::kThreads : 1;
  float sum = 0;
  if (distance == w || (window.causal && distance < 0)) return 0;
#pragma unroll 1
  for (int i = part * rows; i < (part + 1) * rows && i < kTileRows; ++i) {
    const int j = i - distance;
    if (j < 0 || j >> window.shift != i >> window.shift) continue;
    sum += prim::to_float(*s.score_gradient.at(i, j - i / span * span));
  }
  return sum;
}

/// What each thread has kept, added up over the block: to[i] = sum of the threads with i mod count.
template <int kThreads>
LAVO_DEVICE void add_up(float* to, float mine, int count, int wanted, float* scratch) {
  scratch[thread_id()] = mine;
  __syncthreads();
  if (thread_id() >= wanted) return;
  float sum = 0;
  for (int i = thread_id(); i < kThreads; i += count) sum += scratch[i];
  to[thread_id()] = sum;
}

template <class C>
__global__ void __launch_bounds__(C::kThreads) lavo_backward_kernel(const BackwardArguments a) {
  using T = typename C::T;
  const int chunk = static_cast<int>(blockIdx.x), head = static_cast<int>(blockIdx.y);
  const int batch = static_cast<int>(blockIdx.z);
  const Walk& walk = a.of.walk;
  const TwoRows weight = weights_of(a.of, head);
  const int64_t block = block_number(walk.chunks);
  float* partials = a.partials + block * a.scratch.partials;

  const Storage<C, true> fixed(shared_memory(), a.of.window);
  load_constants<C>(a.of, fixed, head);
  if constexpr (C::kHasMemory) {
    const int after = a.of.causal ? chunk + 1 : 0;
    const int64_t stride = a.scratch.suffixes;
    const float* from = a.suffixes + (block - chunk + after) * stride;
    sum_chunks<C::kMeans * C::kR, C::kThreads>(fixed.suffix, from, stride, walk.chunks - after,
                                               C::kMeans * C::kR, fixed.exchange);
  }
  BasesGradient<C> bases[C::kBasesSets];
  bool first = true;
  float bias = 0, memory_weight = 0, window_weight = 0;
  for (int tile = walk.chunk_tiles - 1; tile >= 0; --tile) {
    const int64_t t0 = (static_cast<int64_t>(chunk) * walk.chunk_tiles + tile) * kTileRows;
    if (t0 >= walk.length) continue;
    if (!first) __syncthreads();  // the tile before has been read
    first = false;
    const Storage<C, true> s(shared_memory() + prim::hidden_zero(), a.of.window);
    const Place<C> place(warp_id() + prim::hidden_zero());
    const Window window(a.of, place.row);
    load_tiles<C>(a.of, s, batch, head, t0, &a.output_gradient, a.of.window_part);
    float dq[C::kBlocksD][4] = {}, dk[C::kBlocksD][4] = {}, dv[C::kBlocksD][4] = {};
    if constexpr (C::kHasMemory) {
      constexpr int kColumns = C::kMeans * C::kR;
      const float* carries = a.carries + block * a.scratch.carries + tile * kColumns;
      for (int i = thread_id(); i < kColumns; i += C::kThreads) s.carry[i] = carries[i];
    }
    prim::wait_for_copies<kKeysLater<C>>();
    __syncthreads();
    if constexpr (C::kHasMemory)
      memory_weight += memory_backward<C>(a, s, place, t0, weight.low, dq, dk, dv, bases);
    if constexpr (kKeysLater<C>) {
      prim::wait_for_copies<0>();
      __syncthreads();
    }
    if (a.of.window_part) {
      window_weight += window_backward<C>(s, window, place, weight.high, dq);
      __syncthreads();
      window_keys_backward<C>(s, window, place, dk, dv);
      if (a.to.bias != nullptr) bias += bias_backward<C>(s, window);
    }
    __syncthreads();
    const auto write = [&](const Rows& to, Tile<T> through, const float(&values)[C::kBlocksD][4]) {
      write_rows(head_rows<T>(to, batch, head), t0, walk.length, through, place.row, place.d,
                 values);
    };
    write(a.to.query, s.q, dq);
    if (a.to.key.data != nullptr) write(a.to.key, s.k, dk);
    write(a.to.value, s.v, dv);
  }
  if constexpr (C::kHasMemory) {
    if (a.to.key_bases != nullptr) {
#pragma unroll
      for (int set = 0; set < C::kBasesSets; ++set)
        bases[set].write(partials + set * a.scratch.bases);
    }
  }
  add_up<C::kThreads>(partials + a.scratch.bias_offset, bias / a.of.scale, 2 * a.of.window,
                      2 * a.of.window - 1, fixed.exchange);
  __syncthreads();
  add_up<C::kThreads>(partials + a.scratch.weights_offset, memory_weight, 1, 1, fixed.exchange);
  __syncthreads();
  add_up<C::kThreads>(partials + a.scratch.weights_offset + 1, window_weight, 1, 1, fixed.exchange);
}

}  // namespace lavo::cuda
