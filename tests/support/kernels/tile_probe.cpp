// SPDX-License-Identifier: MIT
#include "tests/support/kernels/tile_probe.h"

#include "lavo/kernels/cpu/engine/tile.h"

namespace lavo::cpu::LAVO_ISA {
namespace {

template <class T>
T* converted(Scratch& scratch, const double* from, int64_t count) {
  T* to = scratch.take<T>(count);
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<T>(from[i]);
  return to;
}

template <class S>
void store_and_load(const TileProbe& p, Compute<S>* tile) {
  // One token more than is stored, of numbers that must stay as they are.
  Scratch scratch(Scratch::bytes<S>((p.rows + 1) * p.width));
  S* stored = scratch.take<S>((p.rows + 1) * p.width);
  __builtin_memset(stored, 0x11, static_cast<unsigned long>((p.rows + 1) * p.width) * sizeof(S));
  const S guard = stored[p.rows * p.width];
  store_tile<S>(tile, p.rows, p.width, stored, p.width);
  const bool kept = __builtin_memcmp(&guard, stored + p.rows * p.width, sizeof(S)) == 0;
  load_tile<S>(stored, p.width, p.rows, p.width, nullptr, tile);
  if (!kept) tile[0] = static_cast<Compute<S>>(__builtin_nan(""));
}

template <class T>
void run(const TileProbe& p) {
  const int64_t a_count = p.block == TileProbe::Block::kMultiply
                              ? (p.rows - 1) * p.a_row + (p.depth - 1) * p.a_column + 1
                              : p.rows * padded(p.width);
  const int64_t b_count = p.depth * p.width, c_count = p.rows * padded(p.width);
  Scratch scratch(Scratch::bytes<T>(a_count) + Scratch::bytes<T>(b_count) +
                  Scratch::bytes<T>(c_count));
  T* a = converted<T>(scratch, p.a, a_count);
  T* result = a;
  switch (p.block) {
    case TileProbe::Block::kExp:
      for (int64_t i = 0; i < a_count; i += kLanes<T>) store(a + i, exp<T>(load(a + i)));
      break;
    case TileProbe::Block::kSoftmax:
      for (int64_t i = 0; i < p.rows; ++i) softmax_row(a + i * p.width, p.width, T(0.5));
      break;
    case TileProbe::Block::kMultiply: {
      const T* b = converted<T>(scratch, p.b, b_count);
      result = converted<T>(scratch, p.result, c_count);
      const Matrix<T> left{a, p.a_row, p.a_column};
      const auto product = p.add ? multiply<true, T> : multiply<false, T>;
      product(left, b, p.width, result, p.width, p.rows, p.width, p.depth, nullptr);
      break;
    }
    case TileProbe::Block::kTranspose:
      result = converted<T>(scratch, p.a, c_count);
      transpose_tile(a, p.width, p.rows, p.width, result, p.rows);
      break;
    case TileProbe::Block::kStore:
      if constexpr (sizeof(T) == sizeof(double)) {
        store_and_load<double>(p, a);
      } else if (p.in_bfloat16) {
        store_and_load<BFloat16>(p, a);
      } else if (p.in_float16) {
        store_and_load<Float16>(p, a);
      } else {
        store_and_load<float>(p, a);
      }
  }
  for (int64_t i = 0; i < c_count; ++i) p.result[i] = static_cast<double>(result[i]);
}

}  // namespace

void probe_tile(const TileProbe& p) { p.in_double ? run<double>(p) : run<float>(p); }

}  // namespace lavo::cpu::LAVO_ISA
