// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/inputs.h"

namespace lavo {

/// Collects pieces [.., t, E] along the length: written into one tensor, or concatenated when
/// gradients are wanted.
class Pieces {
 public:
  explicit Pieces(int64_t length, int64_t dim = 2) : length_(length), dim_(dim) {}
  void add(const Tensor& piece);
  Tensor result();

 private:
  int64_t length_, dim_, written_ = 0;
  Tensor whole_;
  std::vector<Tensor> parts_;
};

/// How many tokens of `bytes_per_token` make a tile that stays in cache: a power of two from 64 to
/// 4096 tokens (on a GPU, which wants fewer and larger calls, to 65536), at least `multiple_of` and
/// a multiple of it.
int64_t tile_length(double bytes_per_token, int64_t multiple_of = 1,
                    torch::Device device = torch::kCPU);

}  // namespace lavo
