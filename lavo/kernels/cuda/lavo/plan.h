// SPDX-License-Identifier: MIT
// How a shape is divided into chunks and where its scratch lies: host code, no CUDA.
#pragma once

#include "lavo/kernels/cuda/engine/chunks.h"
#include "lavo/kernels/cuda/lavo/call.h"

namespace lavo::cuda {

/// R of the instance that takes so many rows, the rest being zeros; 0: none does. Compiling takes a
/// second for each instance, so those that would gain little are left out.
constexpr int padded_bases(Element element, int width, int bases) {
  const bool has_32 = width < 128 && element != Element::kFloat32;
  const bool has_128 = width == 64 || (width == 128 && element != Element::kFloat32);
  return bases <= 32 && has_32 ? 32 : bases <= 64 ? 64 : bases <= 128 && has_128 ? 128 : 0;
}
int means(const LavoShape& s);

inline int chunk_tiles(const LavoShape& s) { return chunk_tiles(s.batch, s.heads, s.length); }
inline int chunk_count(const LavoShape& s) { return chunk_count(s.batch, s.heads, s.length); }

/// Floats of scratch for one block of the backward pass.
struct BackwardScratch {
  int64_t carries;   ///< [tiles of a chunk][means * R]: sums before each tile
  int64_t suffixes;  ///< [means * R]: sum of the means' gradients over the chunk
  int64_t partials;  ///< gradients of bases, from 0 on and where wanted, bias and weights
  int64_t bases, bias_offset, weights_offset;

  BackwardScratch(const LavoShape& s, const LavoGradients& wanted);
};

}  // namespace lavo::cuda
