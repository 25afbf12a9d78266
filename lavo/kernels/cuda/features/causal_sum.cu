// SPDX-License-Identifier: MIT
// Reduce, scan, then everything else, tile by tile: the scores of a tile's tokens among themselves
// are taken directly, those to all tokens before go through the state sum k v^T (64 x 64, zeros
// beyond M and E).
#include "lavo/kernels/cuda/engine/block.cuh"
#include "lavo/kernels/cuda/engine/chunks.h"
#include "lavo/kernels/cuda/features/causal_sum.h"

namespace lavo::cuda {
namespace {

constexpr int kCausalThreads = 32 * kRowWarps;
constexpr int kP = kCausalColumns;

struct CausalSumArguments {
  CausalSumShape shape;
  Rows query, key, value, output;
  float* states;  ///< [batch][heads][chunks][64][64]
  int chunk_tiles, chunks;
};

struct CausalStorage {
  using T = float;
  Tile<T> k, v;   // [64][64], all that sums of chunks need
  Tile<T> q;      // [64][64]
  Tile<T> state;  // [64][64]
  static constexpr int kTileElements = kTileRows * padded<T>(kP);
  static constexpr int kUnused = padded<T>(kP) - kP;  // at the end of the last row
  static constexpr std::size_t kChunkBytes = (2 * kTileElements - kUnused) * sizeof(T);
  static constexpr std::size_t kBytes =
      (3 * kTileElements + kP * padded<T>(kP) - kUnused) * sizeof(T);

  LAVO_DEVICE explicit CausalStorage(unsigned char* base) {
    T* const first = reinterpret_cast<T*>(base);
    k = {first, padded<T>(kP)};
    v = {first + kTileElements, padded<T>(kP)};
    q = {first + 2 * kTileElements, padded<T>(kP)};
    state = {first + 3 * kTileElements, padded<T>(kP)};
  }
};

/// This warp's rows of the state: 16 of the 64.
struct StateRows {
  static_assert(kP == 16 * kRowWarps);
  float value[kP / 8][4] = {};

  /// += k^T v over the tile, which is summed apart: each addition is rounded at the size of all
  /// before it.
  LAVO_DEVICE void add(Tile<float> k, Tile<float> v) {
    float own[kP / 8][4] = {};
#pragma unroll 1
    for (int t = 0; t < kTileRows; t += 16) {
      LeftOperand<float> a;
      load<true>(a, k, t, warp_id() * 16);
      multiply_add(own, a, v, t, 0);
    }
#pragma unroll
    for (int block = 0; block < kP / 8; ++block)
#pragma unroll
      for (int e = 0; e < 4; ++e) value[block][e] += own[block][e];
  }
  /// call(an element's place in [64][64], it and its neighbour)
  template <class Function>
  LAVO_DEVICE void for_each_pair(Function&& call) {
#pragma unroll
    for (int block = 0; block < kP / 8; ++block)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int i = warp_id() * 16 + lane_row() + 8 * half, j = block * 8 + lane_pair();
        call(i * kP + j, value[block][2 * half], value[block][2 * half + 1]);
      }
  }
};

/// Starts the copy of a tile whose rows have `width` columns; zeros elsewhere.
LAVO_DEVICE void load_columns(Tile<float> tile, const CausalSumArguments& a, const Rows& rows,
                              int width, int64_t t0) {
  constexpr int kVector = 16 / sizeof(float), kVectors = kP / kVector;
  const HeadRows<float> from =
      head_rows<float>(rows, static_cast<int>(blockIdx.z), static_cast<int>(blockIdx.y));
#pragma unroll 4
  for (int i = thread_id(); i < kTileRows * kVectors; i += kCausalThreads) {
    const int row = i / kVectors, column = i % kVectors * kVector;
    const bool valid = t0 + row < a.shape.length && column < width;
    prim::copy_async(tile.at(row, column), from.row(valid ? t0 + row : 0) + (valid ? column : 0),
                     valid);
  }
}

LAVO_DEVICE int64_t causal_block(const CausalSumArguments& a) {
  return (static_cast<int64_t>(blockIdx.z) * gridDim.y + blockIdx.y) * a.chunks + blockIdx.x;
}

/// Leaves the sum of k v^T over each chunk. Grid: chunks, heads, batch.
__global__ void __launch_bounds__(kCausalThreads) chunk_states_kernel(const CausalSumArguments a) {
  const CausalStorage s(shared_memory());
  StateRows state;
  for (int tile = 0; tile < a.chunk_tiles; ++tile) {
    const int64_t t0 = (static_cast<int64_t>(blockIdx.x) * a.chunk_tiles + tile) * kTileRows;
    if (t0 >= a.shape.length) break;
    if (tile > 0) __syncthreads();
    load_columns(s.k, a, a.key, a.shape.features, t0);
    load_columns(s.v, a, a.value, a.shape.width, t0);
    prim::commit_copies();
    prim::wait_for_copies<0>();
    __syncthreads();
    state.add(s.k, s.v);
  }
  float* to = a.states + causal_block(a) * kP * kP;
  state.for_each_pair([&](int i, float& x, float& y) { prim::store_pair(to + i, x, y); });
}

/// Chunks' sums become those of all chunks before (in reverse: after) each; what rounding takes
/// from one goes to the next (Knuth's TwoSum). Grid: 64 * 64 / threads, heads, batch.
__global__ void __launch_bounds__(kCausalThreads) scan_states_kernel(const CausalSumArguments a) {
  const int64_t head = static_cast<int64_t>(blockIdx.z) * gridDim.y + blockIdx.y;
  float* states = a.states + head * a.chunks * kP * kP + blockIdx.x * kCausalThreads + thread_id();
  float sum = 0, lost = 0;
  for (int i = 0; i < a.chunks; ++i) {
    float& state = states[(a.shape.reverse ? a.chunks - 1 - i : i) * static_cast<int64_t>(kP * kP)];
    const float mine = state + lost, before = sum;
    state = before;
    sum = before + mine;
    const float added = sum - before;
    lost = (before - (sum - added)) + (mine - added);
  }
}

/// The outputs of a chunk, from the sums before it. Grid: chunks, heads, batch.
__global__ void __launch_bounds__(kCausalThreads) causal_sum_kernel(const CausalSumArguments a) {
  const CausalStorage s(shared_memory());
  const bool reverse = a.shape.reverse;
  const int row = warp_id() * 16;
  const float* from = a.states + causal_block(a) * kP * kP;
  StateRows state;
  state.for_each_pair([&](int i, float& x, float& y) { x = from[i], y = from[i + 1]; });
  bool first = true;
  for (int i = 0; i < a.chunk_tiles; ++i) {
    const int tile = reverse ? a.chunk_tiles - 1 - i : i;
    const int64_t t0 = (static_cast<int64_t>(blockIdx.x) * a.chunk_tiles + tile) * kTileRows;
    if (t0 >= a.shape.length) continue;
    if (!first) __syncthreads();  // the tile before has been read
    first = false;
    load_columns(s.q, a, a.query, a.shape.features, t0);
    load_columns(s.k, a, a.key, a.shape.features, t0);
    load_columns(s.v, a, a.value, a.shape.width, t0);
    prim::commit_copies();
    state.for_each_pair(
        [&](int at, float x, float y) { prim::store_pair(s.state.at(at / kP, at % kP), x, y); });
    prim::wait_for_copies<0>();
    __syncthreads();
    float o[kP / 8][4] = {};
#pragma unroll 1
    for (int m = 0; m < kP; m += 16) {
      LeftOperand<float> q;
      load<false>(q, s.q, row, m);
      multiply_add(o, q, s.state, m, 0);
    }
    const int last = reverse ? kTileRows - 16 : row;
    for (int key = reverse ? row : 0; key <= last; key += 16) {
      float scores[2][4] = {};
      const Tile<float> left[1] = {s.q};
      multiply_add_rows<kP>(&scores, left, row, s.k, key);
#pragma unroll
      for (int block = 0; block < 2; ++block)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int t = row + lane_row() + e / 2 * 8, j = key + block * 8 + lane_pair() + e % 2;
          if (reverse ? j < t : j > t) scores[block][e] = 0;
        }
      LeftOperand<float> p;
      from_accumulators(p, scores[0], scores[1]);
      multiply_add(o, p, s.v, key, 0);
    }
    state.add(s.k, s.v);
    // Through this warp's own rows of q, whole lines at a time. They have been read: what is stored
    // comes from products of the whole warp that took them.
    store(s.q, row, 0, o);
    __syncwarp();
    constexpr int kVector = 16 / sizeof(float), kVectors = kP / kVector;
    const HeadRows<float> to =
        head_rows<float>(a.output, static_cast<int>(blockIdx.z), static_cast<int>(blockIdx.y));
    for (int line = lane_id(); line < 16 * kVectors; line += 32) {
      const int r = row + line / kVectors, column = line % kVectors * kVector;
      if (t0 + r < a.shape.length && column < a.shape.width)
        prim::copy_16_bytes(to.row(t0 + r) + column, s.q.at(r, column));
    }
  }
}

int launch_causal_sum(const CausalSumArguments& a, Stream stream) {
  const dim3 grid(static_cast<unsigned>(a.chunks), static_cast<unsigned>(a.shape.heads),
                  static_cast<unsigned>(a.shape.batch));
  const dim3 scan_grid(kP * kP / kCausalThreads, grid.y, grid.z);
  using S = CausalStorage;
  int failed = launch(chunk_states_kernel, grid, kCausalThreads, S::kChunkBytes, stream, a);
  if (failed == 0) failed = launch(scan_states_kernel, scan_grid, kCausalThreads, 0, stream, a);
  if (failed == 0) failed = launch(causal_sum_kernel, grid, kCausalThreads, S::kBytes, stream, a);
  return failed;
}

}  // namespace

const char* why_not(const CausalSumShape& s) {
  if (s.length < 1 || s.batch < 1 || s.heads < 1) return "sizes must be at least 1";
  if (s.batch > 65535 || s.heads > 65535) return "more than 65535 batches or heads";
  const auto fits = [](int columns) {
    return columns % 8 == 0 && columns >= 8 && columns <= kCausalColumns;
  };
  if (!fits(s.features) || !fits(s.width)) return "features and widths are multiples of 8 up to 64";
  return nullptr;
}

int64_t causal_sum_floats(const CausalSumShape& s) {
  const int64_t states =
      static_cast<int64_t>(s.batch) * s.heads * chunk_count(s.batch, s.heads, s.length);
  return states * kCausalColumns * kCausalColumns;
}

int causal_sum(const CausalSumShape& s, const Rows& query, const Rows& key, const Rows& value,
               const Rows& output, float* scratch, Stream stream) {
  const CausalSumArguments a{s,
                             query,
                             key,
                             value,
                             output,
                             scratch,
                             chunk_tiles(s.batch, s.heads, s.length),
                             chunk_count(s.batch, s.heads, s.length)};
  return launch_causal_sum(a, stream);
}

}  // namespace lavo::cuda
