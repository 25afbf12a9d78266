// SPDX-License-Identifier: MIT
#include "lavo/parts/decayed_pairs.h"

#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>
#include <limits>

namespace lavo {
namespace {

constexpr double kVanished = -std::numeric_limits<double>::infinity();

}  // namespace

Tensor in_chunks(const Tensor& x, int64_t chunk) {
  if (!x.defined()) return x;
  const int64_t T = x.size(2), padded = (T + chunk - 1) / chunk * chunk;
  const Tensor whole = T == padded ? x : at::constant_pad_nd(x, {0, 0, 0, padded - T});
  return whole.unflatten(2, {padded / chunk, chunk});
}

Tensor sums_after(const Tensor& x) {
  const Tensor after = x.narrow(-2, 1, x.size(-2) - 1);
  return torch::cat({after.flip(-2).cumsum(-2).flip(-2), torch::zeros_like(x.narrow(-2, 0, 1))},
                    -2);
}

Tensor decays_between(const Tensor& x, bool strictly) {
  const int64_t C = x.size(-1);
  const Tensor pairs = torch::ones({C, C}, x.options().dtype(torch::kBool));
  // Row i, column j: x_i where i > j.
  const Tensor counted = x.unsqueeze(-1).masked_fill(pairs.triu(0), 0);
  return counted.cumsum(-2).masked_fill(pairs.triu(strictly ? 0 : 1), kVanished).exp();
}

Tensor DecayedPairs::of(const Tensor& a, const Tensor& b, bool strictly) const {
  if (!decay_.defined()) {
    return torch::matmul(a, b.transpose(-2, -1)).tril(strictly ? -1 : 0);
  }
  if (decay_.size(-1) == 1) {
    return torch::matmul(a, b.transpose(-2, -1)) * decays_between(decay_.squeeze(-1), strictly);
  }
  std::vector<Tensor> rows;
  for (int64_t first = 0; first < chunk_; first += kPairBlock) {
    rows.push_back(block(a, b, first, strictly));
  }
  return torch::cat(rows, -2);
}

/// The rows of one block: inside it pair by pair, against earlier ones by way of its first token.
Tensor DecayedPairs::block(const Tensor& a, const Tensor& b, int64_t first, bool strictly) const {
  const int64_t count = std::min(kPairBlock, chunk_ - first);
  const auto part = [](const Tensor& x, int64_t from, int64_t n) { return x.narrow(-2, from, n); };
  const Tensor rows = part(a, first, count), own = part(b, first, count);
  const Tensor own_decay = part(decay_, first, count);
  const Tensor decay = decays_between(own_decay.transpose(-2, -1), strictly);  // (..,D,r,j)
  const Tensor inside =
      (rows.transpose(-2, -1).unsqueeze(-1) * own.transpose(-2, -1).unsqueeze(-2) * decay).sum(-3);
  std::vector<Tensor> all;
  if (first > 0) {
    const Tensor begin = torch::zeros_like(part(decay_, first, 1));
    const Tensor since = torch::cat({begin, part(decay_, first + 1, count - 1)}, -2).cumsum(-2);
    const Tensor near = rows * since.exp();
    const Tensor until = part(sums_after(part(decay_, 0, first + 1)), 0, first);
    const Tensor far = part(b, 0, first) * until.exp();
    all.push_back(torch::matmul(near, far.transpose(-2, -1)));
  }
  all.push_back(inside);
  const int64_t later = chunk_ - first - count;
  if (later > 0) {
    std::vector<int64_t> sizes = inside.sizes().vec();
    sizes.back() = later;
    all.push_back(torch::zeros(sizes, inside.options()));
  }
  return torch::cat(all, -1);
}

}  // namespace lavo
