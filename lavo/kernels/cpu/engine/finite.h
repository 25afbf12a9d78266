// SPDX-License-Identifier: MIT
// Numbers that are not finite, where a weight of 0 has to hide them: 0 times NaN or infinity is
// NaN.
#pragma once

#include "lavo/kernels/cpu/engine/tile.h"

namespace lavo::cpu::LAVO_ISA {

/// Whether `count` numbers, a multiple of kTile, are all finite.
template <class T>
LAVO_INLINE bool are_finite(const T* numbers, int64_t count) {
  Vector<T> zeros{};
  for (int64_t c = 0; c < count; c += kLanes<T>) zeros += load(numbers + c) * T(0);
  return sum_of_lanes<T>(zeros) == T(0);
}

/// As multiply<true>, to the same bits, but a zero of `a` hides whatever b holds.
template <class T>
inline void multiply_seen(Matrix<T> a, const T* b, int64_t b_row, T* c, int64_t c_row, int64_t rows,
                          int64_t width, int64_t depth) {
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t k = 0; k < depth; ++k) {
      const T factor = a.data[m * a.row + k * a.column];
      if (factor == T(0)) continue;
      for (int64_t n = 0; n < width; n += kLanes<T>) {
        Vector<T> sum = load(c + m * c_row + n);
        sum += broadcast(factor) * load(b + k * b_row + n);
        store(c + m * c_row + n, sum);
      }
    }
  }
}

/// The same, but a zero of `b` hides whatever a holds.
template <class T>
inline void multiply_by_seen(Matrix<T> a, const T* b, int64_t b_row, T* c, int64_t c_row,
                             int64_t rows, int64_t width, int64_t depth) {
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t k = 0; k < depth; ++k) {
      const Vector<T> factor = broadcast(a.data[m * a.row + k * a.column]);
      for (int64_t n = 0; n < width; n += kLanes<T>) {
        const Vector<T> by = load(b + k * b_row + n), before = load(c + m * c_row + n);
        Vector<T> sum = before;
        sum += factor * by;
        store(c + m * c_row + n, by == T(0) ? before : sum);
      }
    }
  }
}

}  // namespace lavo::cpu::LAVO_ISA
