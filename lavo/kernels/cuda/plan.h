// SPDX-License-Identifier: MIT
// How a shape is divided into chunks and where its scratch lies: host code, no CUDA.
#pragma once

#include "lavo/kernels/cuda/lavo.h"

namespace lavo::cuda {

/// R of the instance that takes so many rows: 32, 64 or 128, the rest are zeros.
int padded_bases(int bases);
int means(const LavoShape& s);

/// Chunks of tiles, one block each. Enough blocks to fill a large GPU a few times over, as long as
/// a chunk has 2 tiles; at most 128 chunks, since a block reads the sums of all chunks before it.
int chunk_tiles(const LavoShape& s);
int chunk_count(const LavoShape& s);

/// Floats of scratch for one block of the backward pass.
struct BackwardScratch {
  int64_t carries;   ///< [tiles of a chunk][means * R]: sums before each tile
  int64_t suffixes;  ///< [means * R]: sum of the means' gradients over the chunk
  int64_t partials;  ///< gradients of bases, from 0 on, bias and weights
  int64_t bases, bias_offset, weights_offset;

  explicit BackwardScratch(const LavoShape& s);
};

}  // namespace lavo::cuda
