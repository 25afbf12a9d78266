// SPDX-License-Identifier: MIT
// The building blocks of kernels, called from tests in every instruction set.
#pragma once

#include <stdint.h>

#include "lavo/kernels/cpu/engine/isa.h"

namespace lavo::cpu {

/// Numbers go in and out as doubles; the block works in float or double.
struct TileProbe {
  enum class Block { kExp, kSoftmax, kMultiply, kTranspose, kStore };
  Block block;
  bool in_double = false;
  bool in_bfloat16 = false, in_float16 = false;  ///< kStore: there and back again
  int64_t rows, width, depth = 0;
  const double* a;
  int64_t a_row = 0, a_column = 1;  ///< kMultiply: strides of a
  const double* b = nullptr;        ///< (depth, width)
  bool add = false;                 ///< kMultiply: to what `result` holds
  double* result;
};

LAVO_DECLARE_KERNEL(probe_tile, TileProbe);

}  // namespace lavo::cpu
