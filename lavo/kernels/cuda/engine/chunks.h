// SPDX-License-Identifier: MIT
// How sequences are divided among blocks: host code, no CUDA.
#pragma once

#include <cstdint>

namespace lavo::cuda {

/// Chunks of tiles of 64 tokens, one block each. Enough blocks to fill a large GPU a few times
/// over, as long as a chunk has 2 tiles; at most 128 chunks, since a block reads the sums of all
/// chunks before it.
int chunk_tiles(int batch, int heads, int64_t length);
int chunk_count(int batch, int heads, int64_t length);

}  // namespace lavo::cuda
