// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include "lavo/core/mechanism.h"

namespace lavo {

/// One tile of a computation along a sequence: takes the tile of every sequence, the position of
/// its first token and the state, which it advances; gives the tile of the output, or an undefined
/// tensor where only the state is wanted.
///
/// It is run again in the backward pass, so it must give the same result again, and it must reach
/// what gradients are wanted of through its arguments only.
using TileStep = std::function<Tensor(const std::vector<Tensor>& tiles, int64_t first,
                                      std::vector<Tensor>& state)>;

/// Tiles of `tile` tokens; what is left is cut into a multiple of `chunk` and a rest. `tile` is a
/// multiple of `chunk`, so every tile is a multiple of `chunk` or shorter than it.
struct Tiling {
  int64_t tile;
  int64_t chunk = 1;
};

/// The output of `step` over all tiles, in order; `state` becomes the state after the last one.
///
/// Every sequence is [B, H, T, ..], cut along T. What is kept for the backward pass is the inputs
/// and the state at every edge of tiles: beyond the gradients it needs the memory of one tile.
/// A second derivative is refused.
Tensor scan_tiles(const TileStep& step, const std::vector<Tensor>& sequences,
                  std::vector<Tensor>& state, const Tiling& tiling);

}  // namespace lavo
