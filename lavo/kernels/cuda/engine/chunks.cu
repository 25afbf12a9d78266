// SPDX-License-Identifier: MIT
#include <algorithm>

#include "lavo/kernels/cuda/engine/chunks.h"

namespace lavo::cuda {

int chunk_tiles(int batch, int heads, int64_t length) {
  constexpr int64_t kBlocks = 2048, kChunks = 128;
  const int64_t tiles = (length + 63) / 64, rows = static_cast<int64_t>(batch) * heads;
  const int64_t chunks = std::clamp<int64_t>(kBlocks / rows, 1, kChunks);
  return static_cast<int>(std::max<int64_t>((tiles + chunks - 1) / chunks, 2));
}

int chunk_count(int batch, int heads, int64_t length) {
  const int64_t rows = static_cast<int64_t>(chunk_tiles(batch, heads, length)) * 64;
  return static_cast<int>((length + rows - 1) / rows);
}

}  // namespace lavo::cuda
