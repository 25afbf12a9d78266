// SPDX-License-Identifier: MIT
// How a shape is divided into chunks and where its scratch lies: host code, no CUDA.
#pragma once

#include <algorithm>

#include "lavo/kernels/cuda/lavo.h"

namespace lavo::cuda {

constexpr int kPaddedBases[] = {32, 64,
                                128};  ///< the instances' R; fewer rows are padded with zeros

inline int padded_bases(int bases) {
  for (const int r : kPaddedBases)
    if (bases <= r) return r;
  return 0;
}

inline int means(const LavoShape& s) { return s.memory == Memory::kKeyValue ? 2 : 1; }

/// Chunks of tiles, one block each. Enough blocks to fill a large GPU a few times over, as long as
/// a chunk has 2 tiles; at most 128 chunks, since a block reads the sums of all chunks before it.
inline int chunk_tiles(const LavoShape& s) {
  constexpr int64_t kBlocks = 2048, kChunks = 128;
  const int64_t tiles = (s.length + 63) / 64, rows = static_cast<int64_t>(s.batch) * s.heads;
  const int64_t chunks = std::clamp<int64_t>(kBlocks / rows, 1, kChunks);
  return static_cast<int>(std::max<int64_t>((tiles + chunks - 1) / chunks, 2));
}

inline int chunk_count(const LavoShape& s) {
  const int64_t rows = static_cast<int64_t>(chunk_tiles(s)) * 64;
  return static_cast<int>((s.length + rows - 1) / rows);
}

/// Floats of scratch for one block of the backward pass.
struct BackwardScratch {
  int64_t carries;   ///< [tiles of a chunk][means * R]: sums before each tile
  int64_t suffixes;  ///< [means * R]: sum of the means' gradients over the chunk
  int64_t partials;  ///< gradients of bases, bias and weights: see `partial_*`
  int64_t bases, bias_offset, weights_offset;

  explicit BackwardScratch(const LavoShape& s) {
    const int64_t r = s.memory == Memory::kNone ? 0 : padded_bases(s.bases);
    carries = chunk_tiles(s) * means(s) * r;
    suffixes = means(s) * r;
    bases = r * s.width;
    bias_offset = bases * (s.memory == Memory::kContext ? 2 : 1);
    weights_offset = bias_offset + 2 * s.window - 1;
    partials = weights_offset + 2;
  }
};

}  // namespace lavo::cuda
