// SPDX-License-Identifier: MIT
#include "lavo/parts/window_summaries.h"

#include <algorithm>
#include <limits>

#include "lavo/parts/tile_scan.h"

namespace lavo {
namespace {

constexpr double kUnseen = -std::numeric_limits<double>::infinity();

/// Rows that see nothing get zeros.
Tensor softmax_of_seen(const Tensor& logits, const Tensor& hidden) {
  const Tensor nothing = hidden.all(-1, /*keepdim=*/true);
  return logits.masked_fill(hidden.logical_and(nothing.logical_not()), kUnseen)
      .softmax(-1)
      .masked_fill(nothing, 0);
}

/// What the windows of a tile do not see, each of its own tokens and of the chunks behind them:
/// (B,1,windows,length,length + R). The first one sees `seen` chunks, the next `more` further ones.
Tensor hidden_in_tile(const KeyValueRows& tokens, const KeyValueRows& chunks, int64_t windows,
                      int64_t seen, int64_t more) {
  const int64_t B = tokens.key.size(0), length = tokens.key.size(2) / windows;
  const int64_t R = chunks.key.size(2);
  const auto flags = tokens.key.options().dtype(torch::kBool);
  const auto index = tokens.key.options().dtype(torch::kLong);
  Tensor own = torch::ones({length, length}, flags).triu(1).view({1, 1, 1, length, length});
  if (tokens.mask.defined()) {
    own = own.logical_or(tokens.mask.logical_not().view({B, 1, windows, 1, length}));
  }
  const Tensor seen_by = (seen + torch::arange(windows, index) * more).unsqueeze(1);
  Tensor remote = (torch::arange(R, index) >= seen_by).view({1, 1, windows, 1, R});
  if (chunks.mask.defined()) {
    remote = remote.logical_or(chunks.mask.logical_not().view({B, 1, 1, 1, R}));
  }
  return torch::cat(
      {own.expand({B, 1, windows, length, length}), remote.expand({B, 1, windows, length, R})}, -1);
}

/// Queries, already scaled, of whole windows or of a part of one.
Tensor attend_window_tile(const Tensor& query, const KeyValueRows& tokens,
                          const KeyValueRows& chunks, const Tensor& hidden) {
  const int64_t windows = hidden.size(2), length = hidden.size(3), R = chunks.key.size(2);
  const auto cut = [&](const Tensor& x) { return x.unflatten(2, {windows, length}); };
  const Tensor own = torch::matmul(cut(query), cut(tokens.key).transpose(3, 4));
  const Tensor remote = cut(torch::matmul(query, chunks.key.transpose(2, 3)));
  const Tensor weight = softmax_of_seen(torch::cat({own, remote}, -1), hidden);
  return torch::matmul(weight.narrow(-1, 0, length), cut(tokens.value)).flatten(2, 3) +
         torch::matmul(weight.narrow(-1, length, R).flatten(2, 3), chunks.value);
}

}  // namespace

KeyValueRows KeyValueRows::narrow(int64_t first, int64_t count) const {
  return {key.narrow(2, first, count), value.narrow(2, first, count),
          mask.defined() ? mask.narrow(1, first, count) : Tensor()};
}

KeyValueRows WindowSummaries::of(const KeyValueRows& tokens) const {
  const auto cut = [&](const Tensor& x) { return x.unflatten(2, {-1, chunk}); };
  const Tensor k = cut(tokens.key), v = cut(tokens.value);
  const auto dot = [&](const Tensor& x_HD) {
    return torch::matmul(k, x_HD.view({1, x_HD.size(0), 1, -1, 1})).squeeze(4);  // (B,H,n,c)
  };
  Tensor hidden = torch::zeros({1, 1, 1, chunk}, k.options().dtype(torch::kBool)), seen;
  if (tokens.mask.defined()) {
    const Tensor real = tokens.mask.unflatten(1, {-1, chunk});
    hidden = real.logical_not().unsqueeze(1);
    seen = real.any(-1);
  }
  const auto mean = [&](const Tensor& logits, const Tensor& x) {
    return torch::matmul(softmax_of_seen(logits, hidden).unsqueeze(3), x).squeeze(3);
  };
  return {mean(dot(mu), k), mean((dot(phi) - k.square().sum(-1) / 2) * scale, v), seen};
}

Tensor WindowSummaries::attend_open_window(const Tensor& query, const KeyValueRows& rows) const {
  const int64_t n = query.size(2), S = rows.key.size(2);
  Tensor hidden =
      torch::ones({n, S}, query.options().dtype(torch::kBool)).triu(S - n + 1).view({1, 1, n, S});
  if (rows.mask.defined()) {
    hidden = hidden.logical_or(rows.mask.logical_not().view({query.size(0), 1, 1, S}));
  }
  const Tensor logits = torch::matmul(query * scale, rows.key.transpose(2, 3));
  return torch::matmul(softmax_of_seen(logits, hidden), rows.value);
}

Tensor WindowSummaries::attend_windows(const Tensor& query, const KeyValueRows& tokens,
                                       const KeyValueRows& chunks, int64_t tile) const {
  const int64_t more = per_window();
  const int64_t earlier = chunks.key.size(2) - query.size(2) / window * more;
  const TileStep step = [=, width = window, mask = tokens.mask, chunk_mask = chunks.mask](
                            const std::vector<Tensor>& tiles, int64_t first,
                            std::vector<Tensor>& state) {
    const int64_t n = tiles[0].size(2), windows = std::max<int64_t>(n / width, 1);
    const KeyValueRows own{tiles[1], tiles[2],
                           mask.defined() ? mask.narrow(1, first, n) : Tensor()};
    const int64_t seen = earlier + first / width * more;
    const KeyValueRows remote =
        KeyValueRows{state[0], state[1], chunk_mask}.narrow(0, seen + (windows - 1) * more);
    return attend_window_tile(tiles[0], own, remote,
                              hidden_in_tile(own, remote, windows, seen, more));
  };
  std::vector<Tensor> state = {chunks.key, chunks.value};
  return scan_tiles(step, {query * scale, tokens.key, tokens.value}, state, {tile, window});
}

}  // namespace lavo
