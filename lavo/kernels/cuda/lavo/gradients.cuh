// SPDX-License-Identifier: MIT
// What both passes of LAVO's backward share: arguments, scratch, and the gradients of the memory's
// softmax for a tile.
#pragma once

#include "lavo/kernels/cuda/lavo/forward.cuh"
#include "lavo/kernels/cuda/lavo/plan.h"

namespace lavo::cuda {

struct BackwardArguments {
  LavoArguments of;
  Rows output_gradient;
  LavoGradients to;
  float *carries, *suffixes, *partials;  ///< of all blocks, see BackwardScratch
  BackwardScratch scratch;
};

/// Blocks are numbered as chunk sums are: batch, head, chunk.
LAVO_DEVICE int64_t block_number(int chunks) {
  return (static_cast<int64_t>(blockIdx.z) * gridDim.y + blockIdx.y) * chunks + blockIdx.x;
}

/// From projections with means taken to gradients, in place: the means become their gradients
/// divided by their counts (what the projected vectors' suffix sums are of), the scores' projection
/// that of B_K q, and the gradients' projection g = weight p (.) h^V. Returns the statistics.
template <class C>
LAVO_DEVICE RowStatistics memory_gradients(Projections<C, C::kMeans + 2>& acc,
                                           const LavoArguments& a, float* exchange,
                                           const Place<C>& place, const TwoRows& inverse_count,
                                           float weight) {
  scale_scores<C>(acc, a, place);
  RowStatistics all = memory_statistics<C>(acc);
  merge_sides(all, exchange, place);
  const TwoRows normaliser{inverse(all.sum.low), inverse(all.sum.high)};
  const TwoRows delta{weight * all.dot.low * normaliser.low,
                      weight * all.dot.high * normaliser.high};
#pragma unroll
  for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      float& key_mean = acc[0][block][e];
      float& value_mean = acc[C::kMeans - 1][block][e];
      float& score = acc[C::kMeans][block][e];
      float& back = acc[C::kMeans + 1][block][e];
      const float prob = prim::exp(score * key_mean - all.max.of(e)) * normaliser.of(e);
      const float dg = weight * back;
      const float dz = prob * (dg * value_mean - delta.of(e));
      const float of_key_mean = dz * score * inverse_count.of(e);
      const float of_value_mean = dg * prob * inverse_count.of(e);
      back = weight * prob * value_mean;
      score = dz * key_mean * a.scale;
      if constexpr (C::kMeans == 2) {
        key_mean = of_key_mean;
        value_mean = of_value_mean;
      } else {
        key_mean = of_key_mean + of_value_mean;
      }
    }
  return all;
}

/// First pass: a block walks its chunk from left to right, leaves the sums before each tile for the
/// second pass, and the chunk's sum of dh_t / t for the chunks before it.
template <class C>
__global__ void __launch_bounds__(C::kThreads) lavo_suffixes_kernel(const BackwardArguments a) {
  constexpr int kColumns = C::kMeans * C::kR;
  const int chunk = static_cast<int>(blockIdx.x), head = static_cast<int>(blockIdx.y);
  const int batch = static_cast<int>(blockIdx.z);
  const Place<C> place(warp_id());
  const Storage<C, true> s(shared_memory(), a.of.window);
  const Walk& walk = a.of.walk;
  const float weight = weights_of(a.of, head).low;

  load_constants<C>(a.of, s, head);
  prim::wait_for_copies<0>();
  sums_before<C>(a.of, s, batch, head, a.of.causal ? chunk : walk.chunks);
  float sums[C::kMeans][C::kBlocksR][2] = {};
  for (int tile = 0; tile < walk.chunk_tiles; ++tile) {
    const int64_t t0 = (static_cast<int64_t>(chunk) * walk.chunk_tiles + tile) * kTileRows;
    if (t0 >= walk.length) break;
    load_tiles<C>(a.of, s, batch, head, t0, &a.output_gradient, false);
    float* carries = a.carries + block_number(walk.chunks) * a.scratch.carries + tile * kColumns;
    for (int i = thread_id(); i < kColumns; i += C::kThreads) carries[i] = s.carry[i];
    prim::wait_for_copies<kKeysLater<C>>();
    __syncthreads();
    Projections<C, C::kMeans + 2> acc;
    project<C>(acc, a.of, s, place, batch, t0);
    const TwoRows inverse_count = inverse_counts(a.of, s.counts, place.row, batch);
    take_means<C>(acc, a.of, s, place, inverse_count);
    memory_gradients<C>(acc, a.of, s.exchange, place, inverse_count, weight);
#pragma unroll
    for (int m = 0; m < C::kMeans; ++m)
#pragma unroll
      for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
        for (int e = 0; e < 2; ++e) sums[m][block][e] += acc[m][block][e] + acc[m][block][e + 2];
    if (!a.of.causal) __syncthreads();  // a scan has barriers since the tile was read
  }
  __syncthreads();
#pragma unroll
  for (int m = 0; m < C::kMeans; ++m)
#pragma unroll
    for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        float sum = sums[m][block][e];
#pragma unroll
        for (int lanes = 4; lanes < 32; lanes *= 2)
          sum += __shfl_xor_sync(prim::kAllLanes, sum, lanes);
        if (lane_row() == 0)
          s.totals[place.row_warp * kColumns + m * C::kR + place.r + block * 8 + lane_pair() + e] =
              sum;
      }
  __syncthreads();
  float* suffixes = a.suffixes + block_number(walk.chunks) * a.scratch.suffixes;
  for (int i = thread_id(); i < kColumns; i += C::kThreads) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kRowWarps; ++w) sum += s.totals[w * kColumns + i];
    suffixes[i] = sum;
  }
}

}  // namespace lavo::cuda
