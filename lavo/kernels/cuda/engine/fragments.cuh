// SPDX-License-Identifier: MIT
// Matrix products of a warp out of shared memory: operands of 16 x 16 elements, accumulators of 16
// rows. 16-bit types go to the tensor cores as they are. A float32 goes as three bfloat16 that add
// up to its 24 bits, and a product takes the six partial products that are not below float32's own
// rounding.
#pragma once

#include "lavo/kernels/cuda/engine/primitives.cuh"

namespace lavo::cuda {

/// Rows of T in shared memory. 16 bytes more than it needs to a row, so that eight rows touch all
/// banks.
template <class T>
struct Tile {
  T* data;
  int stride;

  LAVO_DEVICE T* at(int row, int column) const { return data + row * stride + column; }
};

template <class T>
LAVO_BOTH constexpr int padded(int columns) {
  return columns + 16 / static_cast<int>(sizeof(T));
}

template <class T>
constexpr int kParts = 1;
template <>
inline constexpr int kParts<float> = 3;

template <class T>
using PartOf = std::conditional_t<std::is_same<T, float>::value, __nv_bfloat16, T>;

template <class T>
struct LeftOperand {  // 16 rows, 16 deep
  unsigned part[kParts<T>][4];
};
template <class T>
struct RightOperand {  // 16 deep, two times 8 columns
  unsigned part[kParts<T>][4];
};

/// x = high + middle + low up to 2^-24 |x|, for two neighbours.
LAVO_DEVICE void split(float x, float y, unsigned& high, unsigned& middle, unsigned& low) {
  const __nv_bfloat16 xh = __float2bfloat16(x), yh = __float2bfloat16(y);
  const float xr = x - __bfloat162float(xh), yr = y - __bfloat162float(yh);
  const __nv_bfloat16 xm = __float2bfloat16(xr), ym = __float2bfloat16(yr);
  high = prim::pack(xh, yh);
  middle = prim::pack(xm, ym);
  low = prim::pack(__float2bfloat16(xr - __bfloat162float(xm)),
                   __float2bfloat16(yr - __bfloat162float(ym)));
}

template <class Operand>
LAVO_DEVICE void split_into(Operand& operand, int i, float x, float y) {
  split(x, y, operand.part[0][i], operand.part[1][i], operand.part[2][i]);
}

/// a(i, k) = tile(row + i, column + k), or tile(row + k, column + i) when transposed.
template <bool kTransposed, class T>
LAVO_DEVICE void load(LeftOperand<T>& a, Tile<T> tile, int row, int column) {
  const int lane = lane_id();
  if constexpr (kParts<T> == 1) {
    const T* address = kTransposed
                           ? tile.at(row + lane % 8 + lane / 16 * 8, column + lane / 8 % 2 * 8)
                           : tile.at(row + lane % 16, column + lane / 16 * 8);
    prim::load_matrices<kTransposed>(a.part[0], address);
  } else {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int i = lane_row() + j % 2 * 8, k = lane_pair() + j / 2 * 8;
      if (kTransposed)
        split_into(a, j, *tile.at(row + k, column + i), *tile.at(row + k + 1, column + i));
      else
        split_into(a, j, *tile.at(row + i, column + k), *tile.at(row + i, column + k + 1));
    }
  }
}

/// b(k, j) = tile(row + k, column + j), or tile(row + j, column + k) when transposed; 16 columns.
template <bool kTransposed, class T>
LAVO_DEVICE void load(RightOperand<T>& b, Tile<T> tile, int row, int column) {
  const int lane = lane_id();
  if constexpr (kParts<T> == 1) {
    const T* address = kTransposed
                           ? tile.at(row + lane / 16 * 8 + lane % 8, column + lane / 8 % 2 * 8)
                           : tile.at(row + lane % 16, column + lane / 16 * 8);
    prim::load_matrices<!kTransposed>(b.part[0], address);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int k = lane_pair() + i % 2 * 8, j = lane_row() + i / 2 * 8;
      if (kTransposed)
        split_into(b, i, *tile.at(row + j, column + k), *tile.at(row + j, column + k + 1));
      else
        split_into(b, i, *tile.at(row + k, column + j), *tile.at(row + k + 1, column + j));
    }
  }
}

/// Two accumulators side by side become the left operand of the next product.
template <class T>
LAVO_DEVICE void from_accumulators(LeftOperand<T>& a, const float (&left)[4],
                                   const float (&right)[4]) {
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const float x = j / 2 ? right[j % 2 * 2] : left[j % 2 * 2];
    const float y = j / 2 ? right[j % 2 * 2 + 1] : left[j % 2 * 2 + 1];
    if constexpr (kParts<T> == 1)
      a.part[0][j] = prim::pack(prim::from_float<T>(x), prim::from_float<T>(y));
    else
      split_into(a, j, x, y);
  }
}

/// c (16 x 16, as two accumulators) += a b.
template <class T>
LAVO_DEVICE void multiply(float (&left)[4], float (&right)[4], const LeftOperand<T>& a,
                          const RightOperand<T>& b) {
#pragma unroll
  for (int order = kParts<T> - 1; order >= 0; --order)  // the smallest products first
#pragma unroll
    for (int i = 0; i <= order; ++i) {
      const unsigned(&p)[4] = b.part[order - i];
      const unsigned first[2] = {p[0], p[1]}, second[2] = {p[2], p[3]};
      prim::mma_m16n8k16<PartOf<T>>(left, a.part[i], first);
      prim::mma_m16n8k16<PartOf<T>>(right, a.part[i], second);
    }
}

/// acc(i, j) += sum_k a(i, k) tile(row + k, column + j), k < 16.
template <class T, int kBlocks>
LAVO_DEVICE void multiply_add(float (&acc)[kBlocks][4], const LeftOperand<T>& a, Tile<T> tile,
                              int row, int column) {
#pragma unroll
  for (int block = 0; block < kBlocks; block += 2) {
    RightOperand<T> b;
    load<false>(b, tile, row, column + block * 8);
    multiply(acc[block], acc[block + 1], a, b);
  }
}

/// acc[m](i, j) += sum_k left[m](left_row + i, k) right(right_row + j, k), k < kDepth: several left
/// sides share the loads of the right one.
template <int kDepth, class T, int kCount, int kBlocks>
LAVO_DEVICE void multiply_add_rows(float (*acc)[kBlocks][4], const Tile<T> (&left)[kCount],
                                   int left_row, Tile<T> right, int right_row) {
#pragma unroll 2
  for (int k = 0; k < kDepth; k += 16) {
    LeftOperand<T> a[kCount];
#pragma unroll
    for (int m = 0; m < kCount; ++m) load<false>(a[m], left[m], left_row, k);
#pragma unroll
    for (int block = 0; block < kBlocks; block += 2) {
      RightOperand<T> b;
      load<true>(b, right, right_row + block * 8, k);
#pragma unroll
      for (int m = 0; m < kCount; ++m) multiply(acc[m][block], acc[m][block + 1], a[m], b);
    }
  }
}

/// tile(row + i, column + j) = factor acc(i, j).
template <class T, int kBlocks>
LAVO_DEVICE void store(Tile<T> tile, int row, int column, const float (&acc)[kBlocks][4],
                       float factor = 1) {
#pragma unroll
  for (int block = 0; block < kBlocks; ++block)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      T* to = tile.at(row + lane_row() + half * 8, column + block * 8 + lane_pair());
      prim::store_pair(to, acc[block][2 * half] * factor, acc[block][2 * half + 1] * factor);
    }
}

}  // namespace lavo::cuda
