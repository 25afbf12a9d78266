// SPDX-License-Identifier: MIT
// LAVO forward: a block walks one chunk of one (batch, head) from left to right, tiles of 64
// tokens. It starts from the sums of the chunks before its own, which chunk_sums.cuh leaves.
#pragma once

#include "lavo/kernels/cuda/lavo/memory.cuh"
#include "lavo/kernels/cuda/lavo/window.cuh"

namespace lavo::cuda {

/// What stays in shared memory: bases, bias. Waits for nothing.
template <class C, class S>
LAVO_DEVICE void load_constants(const LavoArguments& a, const S& s, int head) {
  using T = typename C::T;
  if constexpr (C::kHasMemory) {
    const int64_t offset = head * a.in.bases_head;
    load_bases<C::kR, C::kD, C::kThreads>(s.key_bases,
                                          static_cast<const T*>(a.in.key_bases) + offset, a.bases);
    if constexpr (C::kHasContext)
      load_bases<C::kR, C::kD, C::kThreads>(
          s.value_bases, static_cast<const T*>(a.in.value_bases) + offset, a.bases);
    prim::commit_copies();
  }
  const int offsets = 2 * a.window - 1;
  for (int i = thread_id(); i < offsets; i += C::kThreads)
    s.bias[i] = a.in.bias == nullptr ? 0 : a.in.bias[head * offsets + i];
}

/// Whether the window's keys come in a group of copies of their own, which has time until the
/// memory's part is done.
template <class C>
constexpr bool kKeysLater = C::kHasMemory&& C::kMemory != Memory::kKeyValue;

/// Starts the copies of a tile: one group, or two with kKeysLater. Counts are written too; no
/// barrier.
template <class C, class S>
LAVO_DEVICE void load_tiles(const LavoArguments& a, const S& s, int batch, int head, int64_t t0,
                            const Rows* output_gradient, bool window_keys) {
  using T = typename C::T;
  const int32_t* real = counts_of(a, batch);
  const auto load = [&](Tile<T> to, const Rows& from, const int32_t* counts) {
    load_tile<C::kD, C::kThreads>(to, head_rows<T>(from, batch, head), t0, a.walk.length, counts);
  };
  load(s.q, a.in.query, nullptr);
  load(s.v, a.in.value, real);
  if (output_gradient != nullptr) load(s.g, *output_gradient, nullptr);
  if (!kKeysLater<C>) load(s.k, a.in.key, real);
  prim::commit_copies();
  if constexpr (kKeysLater<C>) {
    if (window_keys) load(s.k, a.in.key, real);
    prim::commit_copies();
  }
  load_counts<C::kThreads>(s.counts, real, t0, a.walk.length);
}

template <class C>
__global__ void __launch_bounds__(C::kThreads, C::kForwardBlocks)
    lavo_forward_kernel(const LavoArguments a, const Rows output) {
  using T = typename C::T;
  const int chunk = static_cast<int>(blockIdx.x), head = static_cast<int>(blockIdx.y);
  const int batch = static_cast<int>(blockIdx.z);
  const int64_t length = a.walk.length;
  const TwoRows weight = weights_of(a, head);

  const Storage<C, false> fixed(shared_memory(), a.window);
  load_constants<C>(a, fixed, head);
  if constexpr (C::kHasMemory) {
    prim::wait_for_copies<0>();
    sums_before<C>(a, fixed, batch, head, a.causal ? chunk : a.walk.chunks);
  }
  for (int tile = 0; tile < a.walk.chunk_tiles; ++tile) {
    const int64_t t0 = (static_cast<int64_t>(chunk) * a.walk.chunk_tiles + tile) * kTileRows;
    if (t0 >= length) break;
    if (tile > 0) __syncthreads();  // the tile before has been read
    const Storage<C, false> s(shared_memory() + prim::hidden_zero(), a.window);
    const Place<C> place(warp_id() + prim::hidden_zero());
    const Window window(a, place.row);
    load_tiles<C>(a, s, batch, head, t0, nullptr, a.window_part);
    float o[C::kBlocksD][4] = {};
    prim::wait_for_copies<kKeysLater<C>>();
    __syncthreads();
    if constexpr (C::kHasMemory) {
      Projections<C, C::kMeans + 1> acc;
      project<C>(acc, a, s, place, batch, t0);
      take_means<C>(acc, a, s, place, inverse_counts(a, s.counts, place.row, batch));
      scale_scores<C>(acc, a, place);
      auto& p = acc[C::kMeans];
      const RowStatistics side = memory_statistics<C>(acc);
      RowStatistics all = side;
      merge_sides(all, s.exchange, place);
      const TwoRows own{prim::exp(side.max.low - all.max.low),
                        prim::exp(side.max.high - all.max.high)};
#pragma unroll
      for (int block = 0; block < C::kBlocksR; ++block)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          p[block][e] *= acc[C::kMeans - 1][block][e];
          if (C::kSides > 1) p[block][e] *= own.of(e);
        }
      if constexpr (C::kSides > 1) {
        store(s.staged, place.row, place.r, p);
        __syncthreads();
      }
      multiply_by_bases<C>(o, p, s.staged, s.value_bases, place);
      const TwoRows factor{weight.low * inverse(all.sum.low), weight.low * inverse(all.sum.high)};
#pragma unroll
      for (int block = 0; block < C::kBlocksD; ++block)
#pragma unroll
        for (int e = 0; e < 4; ++e) o[block][e] *= factor.of(e);
    }
    if constexpr (kKeysLater<C>) {
      prim::wait_for_copies<0>();
      __syncthreads();
    }
    if (a.window_part) add_window<C>(o, s, window, weight.high, place);
    if constexpr (C::kSides > 1)
      __syncthreads();  // the other sides have read q
    else
      __syncwarp();
    write_rows(head_rows<T>(output, batch, head), t0, length, s.q, place.row, place.d, o);
  }
}

}  // namespace lavo::cuda
