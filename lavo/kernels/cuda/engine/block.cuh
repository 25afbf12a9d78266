// SPDX-License-Identifier: MIT
// What the threads of a block do together to a tile of 64 tokens: loads, stores, scans over tokens,
// reductions over the columns of a row, sums over chunks.
#pragma once

#include "lavo/kernels/cuda/engine/fragments.cuh"

namespace lavo::cuda {

constexpr int kTileRows = 64;
constexpr int kRowWarps = 4;  ///< each has 16 rows of the tile

/// Rows of one (batch, head) in device memory.
template <class T>
struct HeadRows {
  T* data;
  int64_t stride;

  LAVO_DEVICE T* row(int64_t t) const { return data + t * stride; }
};

template <class T>
LAVO_DEVICE HeadRows<T> head_rows(const Rows& rows, int batch, int head) {
  return {static_cast<T*>(rows.data) + batch * rows.batch + head * rows.head, rows.row};
}

/// Whether token t is there and no padding; `counts` of this batch or null.
LAVO_DEVICE bool is_real(const int32_t* counts, int64_t t, int64_t length) {
  if (t >= length) return false;
  return counts == nullptr || counts[t] > (t == 0 ? 0 : counts[t - 1]);
}

/// Starts the copy of tokens [t0, t0 + 64); those beyond the length or padded become zeros.
template <int kWidth, int kThreads, class T>
LAVO_DEVICE void load_tile(Tile<T> tile, HeadRows<T> from, int64_t t0, int64_t length,
                           const int32_t* counts) {
  constexpr int kVector = 16 / sizeof(T), kVectors = kWidth / kVector;
#pragma unroll 4
  for (int i = thread_id(); i < kTileRows * kVectors; i += kThreads) {
    const int row = i / kVectors, column = i % kVectors * kVector;
    const bool valid = is_real(counts, t0 + row, length);
    prim::copy_async(tile.at(row, column), from.row(valid ? t0 + row : 0) + column, valid);
  }
}

/// Starts the copy of B (rows, kWidth), contiguous, padded with zeros to kRows.
template <int kRows, int kWidth, int kThreads, class T>
LAVO_DEVICE void load_bases(Tile<T> tile, const T* from, int rows) {
  constexpr int kVector = 16 / sizeof(T), kVectors = kWidth / kVector;
  for (int i = thread_id(); i < kRows * kVectors; i += kThreads) {
    const int row = i / kVectors, column = i % kVectors * kVector;
    const bool valid = row < rows;
    prim::copy_async(tile.at(row, column), from + (valid ? row * kWidth + column : 0), valid);
  }
}

/// Writes `factor` acc to 16 rows and these columns of device memory, through this warp's own part
/// of a tile, so that lanes write 16 bytes each.
template <class T, int kBlocks>
LAVO_DEVICE void write_rows(HeadRows<T> to, int64_t t0, int64_t length, Tile<T> through, int row,
                            int column, const float (&acc)[kBlocks][4]) {
  constexpr int kVector = 16 / sizeof(T), kVectors = kBlocks * 8 / kVector;
  store(through, row, column, acc);
  __syncwarp();
#pragma unroll
  for (int i = lane_id(); i < 16 * kVectors; i += 32) {
    const int r = row + i / kVectors, c = column + i % kVectors * kVector;
    if (t0 + r < length) prim::copy_16_bytes(to.row(t0 + r) + c, through.at(r, c));
  }
}

/// Running sums over the 16 rows of a warp, from the first row or, reversed, from the last; what
/// they come to goes to totals[row_warp][column].
template <bool kReverse, int kBlocks>
LAVO_DEVICE void scan_rows(float (&y)[kBlocks][4], float* totals, int stride, int row_warp,
                           int column) {
  const int lane = lane_id();
#pragma unroll
  for (int block = 0; block < kBlocks; ++block)
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      float& first = y[block][kReverse ? e + 2 : e];
      float& second = y[block][kReverse ? e : e + 2];
#pragma unroll
      for (int rows = 4; rows < 32; rows *= 2) {  // lanes 4 apart hold neighbouring rows
        const float f = kReverse ? __shfl_down_sync(prim::kAllLanes, first, rows)
                                 : __shfl_up_sync(prim::kAllLanes, first, rows);
        const float s = kReverse ? __shfl_down_sync(prim::kAllLanes, second, rows)
                                 : __shfl_up_sync(prim::kAllLanes, second, rows);
        if (kReverse ? lane + rows < 32 : lane >= rows) first += f, second += s;
      }
      second += __shfl_sync(prim::kAllLanes, first, kReverse ? lane % 4 : 28 + lane % 4);
      if (lane_row() == (kReverse ? 0 : 7))
        totals[row_warp * stride + column + block * 8 + lane_pair() + e] = second;
    }
}

/// After scan_rows: totals become what stands before each warp's rows, `carry` moves on by the
/// tile.
template <bool kReverse, int kThreads>
LAVO_DEVICE void scan_totals(float* totals, float* carry, int columns) {
  __syncthreads();
  for (int i = thread_id(); i < columns; i += kThreads) {
    float sum = carry[i];
#pragma unroll
    for (int w = 0; w < kRowWarps; ++w) {
      float& total = totals[(kReverse ? kRowWarps - 1 - w : w) * columns + i];
      const float mine = total;
      total = sum;
      sum += mine;
    }
    carry[i] = sum;
  }
  __syncthreads();
}

/// Over the four lanes that hold a row.
LAVO_DEVICE float row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(prim::kAllLanes, x, 1));
  return fmaxf(x, __shfl_xor_sync(prim::kAllLanes, x, 2));
}
LAVO_DEVICE float row_sum(float x) {
  x += __shfl_xor_sync(prim::kAllLanes, x, 1);
  return x + __shfl_xor_sync(prim::kAllLanes, x, 2);
}

/// to[i] = sum of from[c * stride + i] over c < count, i < kColumns, in a fixed order; `scratch`
/// has kThreads floats. Entries from `columns` on are zero. A barrier has to follow.
template <int kColumns, int kThreads>
LAVO_DEVICE void sum_chunks(float* to, const float* from, int64_t stride, int count, int columns,
                            float* scratch) {
  static_assert(kColumns <= kThreads && kThreads % kColumns == 0, "threads divide into groups");
  constexpr int kGroups = kThreads / kColumns;
  const int column = thread_id() % kColumns, group = thread_id() / kColumns;
  float sum = 0;
  if (column < columns) {
#pragma unroll 4
    for (int c = group; c < count; c += kGroups) sum += from[c * stride + column];
  }
  scratch[thread_id()] = sum;
  __syncthreads();
  if (thread_id() < kColumns) {
    float total = 0;
#pragma unroll
    for (int g = 0; g < kGroups; ++g) total += scratch[g * kColumns + thread_id()];
    to[thread_id()] = total;
  }
}

}  // namespace lavo::cuda
