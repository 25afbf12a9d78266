// SPDX-License-Identifier: MIT
// Tiles of a few tokens in the compute type, row after row, and what is done with them. Rows are
// padded with zeros to a multiple of kTile numbers, so that no loop over a row has a rest.
#pragma once

#include "lavo/kernels/cpu/engine/ahead.h"
#include "lavo/kernels/cpu/engine/vector.h"

namespace lavo::cpu::LAVO_ISA {

inline constexpr int64_t kTile = 16;  ///< tokens in a tile; a whole number of vectors of any type

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
/// The number of pieces of `size` that `count` is cut into.
constexpr int64_t pieces(int64_t count, int64_t size) { return (count + size - 1) / size; }
constexpr int64_t padded(int64_t width) { return pieces(width, kTile) * kTile; }

/// Temporaries of one thread, handed out piece by piece and freed together.
class Scratch {
 public:
  explicit Scratch(int64_t bytes)
      : data_(static_cast<char*>(::operator new(static_cast<size_t>(bytes) + 64))) {
    const auto address = reinterpret_cast<uintptr_t>(data_);
    next_ = data_ + (64 - address % 64) % 64;
  }
  ~Scratch() { ::operator delete(data_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  T* take(int64_t count) {
    T* taken = reinterpret_cast<T*>(next_);
    next_ += bytes<T>(count);
    return taken;
  }
  template <class T>
  T* take_zeros(int64_t count) {
    T* taken = take<T>(count);
    for (int64_t i = 0; i < count; ++i) taken[i] = 0;
    return taken;
  }
  template <class T>
  static constexpr int64_t bytes(int64_t count) {
    return pieces(count * int64_t{sizeof(T)}, 64) * 64;
  }

 private:
  using size_t = decltype(sizeof(0));
  char* data_;
  char* next_;
};

/// A matrix to be read: data[m * row + k * column]. Swapping the two strides transposes it.
template <class T>
struct Matrix {
  const T* data;
  int64_t row, column = 1;
  Matrix transposed() const { return {data, column, row}; }
};

// ---- products ----

#if defined(__AVX512F__)
inline constexpr int kBlockRows = 4, kBlockVectors = 4;  // of 32 registers: 16 sums, 4 of b
#else
inline constexpr int kBlockRows = 6, kBlockVectors = 2;  // of 16: 12 and 2
#endif

template <int kRows, int kVectors, bool kAdd, class T>
LAVO_INLINE void multiply_block(Matrix<T> a, const T* b, int64_t b_row, T* c, int64_t c_row,
                                int64_t depth) {
  Vector<T> sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) {
      sum[m][n] = kAdd ? load(c + m * c_row + n * kLanes<T>) : Vector<T>{};
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    Vector<T> row[kVectors];
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) row[n] = load(b + k * b_row + n * kLanes<T>);
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
      const Vector<T> factor = broadcast(a.data[m * a.row + k * a.column]);
#pragma GCC unroll 4
      for (int n = 0; n < kVectors; ++n) sum[m][n] += factor * row[n];
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) store(c + m * c_row + n * kLanes<T>, sum[m][n]);
  }
}

template <int kRows, int kVectors, bool kAdd, class T>
LAVO_INLINE void multiply_rows(Matrix<T> a, const T* b, int64_t b_row, T* c, int64_t c_row,
                               int64_t rows, int64_t depth, Ahead* ahead) {
  int64_t m = 0;
  for (; m + kRows <= rows; m += kRows) {
    if (ahead) ahead->fetch_row();
    multiply_block<kRows, kVectors, kAdd>({a.data + m * a.row, a.row, a.column}, b, b_row,
                                          c + m * c_row, c_row, depth);
  }
  if constexpr (kRows > 1) {
    constexpr int kRest = kRows > 4 ? 4 : 1;
    multiply_rows<kRest, kVectors, kAdd>({a.data + m * a.row, a.row, a.column}, b, b_row,
                                         c + m * c_row, c_row, rows - m, depth, ahead);
  }
}

/// c (rows, width) = a (rows, depth) b (depth, width), or += with kAdd; width a multiple of kTile.
/// Meanwhile fetches a row of `ahead`, if not null, for every block.
template <bool kAdd, class T>
inline void multiply(Matrix<T> a, const T* b, int64_t b_row, T* c, int64_t c_row, int64_t rows,
                     int64_t width, int64_t depth, Ahead* ahead = nullptr) {
  constexpr int64_t kBlock = kBlockVectors * kLanes<T>;
  const int64_t whole = width / kBlock * kBlock;
  for (int64_t n = 0; n < whole; n += kBlock) {
    multiply_rows<kBlockRows, kBlockVectors, kAdd>(a, b + n, b_row, c + n, c_row, rows, depth,
                                                   ahead);
  }
  int64_t n = whole;
  if constexpr (kBlockVectors == 4) {
    for (; n + 2 * kLanes<T> <= width; n += 2 * kLanes<T>) {
      multiply_rows<8, 2, kAdd>(a, b + n, b_row, c + n, c_row, rows, depth, ahead);
    }
  }
  for (; n < width; n += kLanes<T>) {
    multiply_rows<8, 1, kAdd>(a, b + n, b_row, c + n, c_row, rows, depth, ahead);
  }
}

// ---- from storage to compute type and back ----

/// `rows` tokens of `width` numbers, `stride` apart, into rows of padded(width); zeros in tokens
/// that `visible` hides, whatever they hold, and in the padding. `visible` may be null.
template <class S>
inline void load_tile(const S* from, int64_t stride, int64_t rows, int64_t width,
                      const bool* visible, Compute<S>* to) {
  using T = Compute<S>;
  const int64_t to_row = padded(width), whole = width / kLanes<T> * kLanes<T>;
  for (int64_t i = 0; i < rows; ++i, from += stride, to += to_row) {
    const bool hidden = visible && !visible[i];
    int64_t c = 0;
    if (!hidden) {
      for (; c < whole; c += kLanes<T>) store(to + c, load(from + c));
      if (c < width) {
        S rest[kLanes<T>] = {};
        __builtin_memcpy(rest, from + c, static_cast<unsigned long>(width - c) * sizeof(S));
        store(to + c, load(rest));
        c += kLanes<T>;
      }
    }
    for (; c < to_row; c += kLanes<T>) store(to + c, Vector<T>{});
  }
}

/// The reverse: rows of padded(width) into `rows` tokens of `width` numbers, `stride` apart.
template <class S>
inline void store_tile(const Compute<S>* from, int64_t rows, int64_t width, S* to, int64_t stride) {
  using T = Compute<S>;
  const int64_t from_row = padded(width), whole = width / kLanes<T> * kLanes<T>;
  for (int64_t i = 0; i < rows; ++i, from += from_row, to += stride) {
    int64_t c = 0;
    for (; c < whole; c += kLanes<T>) store(to + c, load(from + c));
    if (c < width) {
      S rest[kLanes<T>];
      store(rest, load(from + c));
      __builtin_memcpy(to + c, rest, static_cast<unsigned long>(width - c) * sizeof(S));
    }
  }
}

/// (rows, width) -> (width, rows), both multiples of kTile.
template <class T>
inline void transpose_tile(const T* from, int64_t from_row, int64_t rows, int64_t width, T* to,
                           int64_t to_row) {
  for (int64_t i = 0; i < rows; i += kLanes<T>) {
    for (int64_t c = 0; c < width; c += kLanes<T>) {
      Vector<T> block[kLanes<T>];
#pragma GCC unroll 16
      for (int j = 0; j < kLanes<T>; ++j) block[j] = load(from + (i + j) * from_row + c);
      transpose<T>(block);
#pragma GCC unroll 16
      for (int j = 0; j < kLanes<T>; ++j) store(to + (c + j) * to_row + i, block[j]);
    }
  }
}

// ---- softmax ----

/// row = exp(row - largest); returns the sum.
template <class T>
LAVO_INLINE T exp_row(T* row, int64_t width, T largest) {
  Vector<T> total{};
  for (int64_t c = 0; c < width; c += kLanes<T>) {
    const Vector<T> e = exp<T>(load(row + c) - largest);
    store(row + c, e);
    total += e;
  }
  return sum_of_lanes<T>(total);
}

/// row = factor softmax(row) over `width` numbers, a multiple of kTile. -inf gets 0; a row of only
/// -inf becomes zeros. A row that holds NaN is NaN where it is not -inf.
template <class T>
LAVO_INLINE void softmax_row(T* row, int64_t width, T factor) {
  Vector<T> most = load(row);
  for (int64_t c = kLanes<T>; c < width; c += kLanes<T>) most = larger(most, load(row + c));
  const T largest = largest_lane<T>(most);
  if (largest == -__builtin_inf()) {  // or NaN was passed over
    for (int64_t c = 0; c < width; c += kLanes<T>) {
      const Vector<T> x = load(row + c);
      store(row + c, x == -__builtin_inf() ? Vector<T>{} : x);
    }
    return;
  }
  const T scale = factor / exp_row(row, width, largest);
  for (int64_t c = 0; c < width; c += kLanes<T>) store(row + c, load(row + c) * scale);
}

}  // namespace lavo::cpu::LAVO_ISA
