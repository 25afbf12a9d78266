// SPDX-License-Identifier: MIT
#include "lavo/core/pieces.h"

namespace lavo {

int64_t tile_length(double bytes_per_token, int64_t multiple_of, torch::Device device) {
  // Half of a common core's second-level cache; of a data-centre GPU's.
  const double cache_bytes = device.is_cpu() ? 1 << 20 : 24 << 20;
  const int64_t longest = device.is_cpu() ? 4096 : 65536;
  int64_t tile = 64;
  while (tile < longest && static_cast<double>(2 * tile) * bytes_per_token <= cache_bytes)
    tile *= 2;
  return (tile + multiple_of - 1) / multiple_of * multiple_of;
}

void Pieces::add(const Tensor& piece) {
  if (piece.requires_grad() || (written_ == 0 && piece.size(dim_) == length_)) {
    parts_.push_back(piece);
    return;
  }
  if (!whole_.defined()) {
    std::vector<int64_t> sizes = piece.sizes().vec();
    sizes[static_cast<size_t>(dim_)] = length_;
    whole_ = torch::empty(sizes, piece.options());
  }
  whole_.narrow(dim_, written_, piece.size(dim_)).copy_(piece);
  written_ += piece.size(dim_);
}

Tensor Pieces::result() {
  if (whole_.defined()) return whole_;
  return parts_.size() == 1 ? parts_[0] : torch::cat(parts_, dim_);
}

}  // namespace lavo
