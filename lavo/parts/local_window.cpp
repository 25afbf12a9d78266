// SPDX-License-Identifier: MIT
#include "lavo/parts/local_window.h"

#include <ATen/ops/baddbmm.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lavo/core/pieces.h"
#include "lavo/parts/tile_scan.h"

namespace lavo {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
constexpr int64_t kWidestBlock =
    256;  // wider windows are cut into rows: their matrix would not stay in cache
constexpr int64_t kLogitNumbers = 1 << 22;  // held at a time where a window is cut into rows

torch::TensorOptions index_options(const Tensor& like) {
  return torch::TensorOptions(torch::kLong).device(like.device());
}

/// softmax(logits) value, where a query that sees nothing gets zeros (and a zero gradient).
Tensor weighted_values(Tensor logits, const Tensor& hidden, const Tensor& value) {
  if (!hidden.defined()) return torch::matmul(logits.softmax(-1), value);
  const Tensor nothing = hidden.all(-1, /*keepdim=*/true);
  logits = logits.masked_fill(hidden.logical_and(nothing.logical_not()), kMinusInfinity);
  return torch::matmul(logits.softmax(-1), value).masked_fill(nothing, 0);
}

/// Any rows against any keys, by their positions.
Tensor attend_rows_dense(const Tensor& query, int64_t first_query, const WindowKeys& keys,
                         const Tensor& bias, const Windows& windows) {
  const int64_t T = query.size(2), W = windows.window;
  const int64_t begin = std::max(windows.first_key(first_query), keys.first);
  const int64_t end = std::min(windows.end_key(first_query + T - 1), keys.first + keys.key.size(2));
  const int64_t S = end - begin, skipped = begin - keys.first;
  const Tensor key = to_compute(keys.key.narrow(2, skipped, S));
  const Tensor value = to_compute(keys.value.narrow(2, skipped, S));

  const Tensor t = torch::arange(first_query, first_query + T, index_options(query)).unsqueeze(1);
  const Tensor j = torch::arange(begin, end, index_options(query)).unsqueeze(0);
  const Tensor block = t.div(W, "floor").mul_(W);
  const Tensor limit = windows.causal ? t : block + (W - 1);
  Tensor hidden = (j < block - windows.look_back * W).logical_or_(j > limit);

  Tensor logits =
      torch::matmul(query / std::sqrt(static_cast<double>(query.size(3))), key.transpose(2, 3));
  if (bias.defined()) {
    const Tensor offset = (t - j + (W - 1)).clamp_(0, windows.bias_length() - 1);
    logits = logits + bias.index_select(1, offset.flatten()).view({1, -1, T, S});
  }
  if (keys.mask.defined()) {
    const Tensor padded = keys.mask.narrow(1, skipped, S).logical_not();
    hidden = hidden.logical_or(padded.unsqueeze(1).unsqueeze(1));
  } else if (windows.causal && S == 1) {
    hidden = Tensor();  // a decode step at the start of a window sees itself
  }
  return weighted_values(logits, hidden, value);
}

/// [H or 1, W, span]: the bias of each offset inside a block, -inf where causality hides the key.
Tensor block_bias(const Tensor& query, const Tensor& bias, const Windows& windows) {
  const int64_t W = windows.window, span = (windows.look_back + 1) * W;
  const Tensor row = torch::arange(W, index_options(query)).unsqueeze(1) + windows.look_back * W;
  const Tensor column = torch::arange(span, index_options(query)).unsqueeze(0);
  const Tensor offset = row - column;  // t - j
  Tensor result = bias.defined()
                      ? bias.index_select(1, (offset + (W - 1)).flatten()).view({-1, W, span})
                      : torch::zeros({1, W, span}, query.options());
  return windows.causal ? result.masked_fill(offset < 0, kMinusInfinity) : result;
}

/// [B, H, blocks W, X] from the first block's look-back on -> [B, H, blocks, (look_back + 1) W, X]
Tensor spans(const Tensor& x, const Windows& windows) {
  const int64_t W = windows.window;
  if (windows.look_back == 0) return x.unflatten(2, {-1, W});
  return x.unfold(2, (windows.look_back + 1) * W, W).transpose(3, 4);
}

/// Whole blocks whose look-back is all there: one batched product.
Tensor attend_blocks(const Tensor& query, int64_t first_query, const WindowKeys& keys,
                     const Tensor& bias, const Windows& windows) {
  const int64_t T = query.size(2), W = windows.window, D = query.size(3);
  const int64_t begin = first_query - windows.look_back * W - keys.first;
  const int64_t length = T + windows.look_back * W;
  const Tensor q = query.unflatten(2, {-1, W});
  const Tensor k = spans(to_compute(keys.key.narrow(2, begin, length)), windows);
  const Tensor v = spans(to_compute(keys.value.narrow(2, begin, length)), windows);
  const auto lead = q.sizes().slice(0, 3);
  const int64_t span = k.size(3);
  Tensor added = block_bias(query, bias, windows).unsqueeze(0).unsqueeze(2);
  added = added.expand({lead[0], lead[1], lead[2], W, span}).reshape({-1, W, span});
  Tensor logits =
      at::baddbmm(added, q.reshape({-1, W, D}), k.reshape({-1, span, D}).transpose(1, 2), 1,
                  1 / std::sqrt(static_cast<double>(D)));
  if (!keys.mask.defined()) {
    return logits.softmax(-1).bmm(v.reshape({-1, span, v.size(4)})).view({lead[0], lead[1], T, -1});
  }
  const Tensor padded = spans(
      keys.mask.narrow(1, begin, length).logical_not().view({lead[0], 1, length, 1}), windows);
  logits = logits.view({lead[0], lead[1], lead[2], W, span});
  Tensor hidden = padded.transpose(3, 4);
  if (windows.causal) hidden = hidden.logical_or(logits == kMinusInfinity);
  return weighted_values(logits, hidden, v).flatten(2, 3);
}

int64_t tile_of(const Shape& s, const Windows& windows, torch::Device device = torch::kCPU) {
  const int64_t span = std::min(s.S, (windows.look_back + 1) * windows.window);
  const double token_bytes =
      s.compute_bytes() * static_cast<double>(s.B * s.H * (2 * span + s.D + s.E));
  return tile_length(token_bytes, windows.window, device);
}

/// The tokens before a tile and the tile itself; `past` becomes the last `reach` tokens of both: a
/// view of the tile where that is enough, which costs no memory.
Tensor join(Tensor& past, const Tensor& tile, int64_t reach) {
  const Tensor joined = torch::cat({past, tile}, 2);
  const int64_t kept = std::min(joined.size(2), reach);
  const Tensor& source = tile.size(2) >= kept ? tile : joined;
  past = source.narrow(2, source.size(2) - kept, kept);
  return joined;
}

}  // namespace

Tensor window_attention(const Tensor& query, int64_t first_query, const WindowKeys& keys,
                        const Tensor& bias, const Windows& windows) {
  const int64_t T = query.size(2), W = windows.window, end = first_query + T;
  const Tensor q = to_compute(query);
  const Tensor p = bias.defined() ? bias.to(q.scalar_type()) : bias;
  const int64_t key_end = keys.first + keys.key.size(2);
  const int64_t widest = std::min((windows.look_back + 1) * W, key_end);
  const int64_t rows =
      std::clamp<int64_t>(kLogitNumbers / (q.size(0) * q.size(1) * widest), 1, std::min(W, T));
  Pieces pieces(T);
  for (int64_t t = first_query; t < end;) {
    const int64_t whole =
        (std::min(end, key_end) - t) / W * W;  // tokens of whole blocks from here on
    const bool aligned = t % W == 0 && t - windows.look_back * W >= keys.first && W <= kWidestBlock;
    if (aligned && whole > 0) {
      pieces.add(attend_blocks(q.narrow(2, t - first_query, whole), t, keys, p, windows));
      t += whole;
    } else {
      const int64_t next = std::min({t + rows, (t / W + 1) * W, end});
      pieces.add(attend_rows_dense(q.narrow(2, t - first_query, next - t), t, keys, p, windows));
      t = next;
    }
  }
  return pieces.result();
}

Tensor window_attention_tiles(const Inputs& in, const Tensor& bias, const Windows& windows) {
  const bool has_past = windows.look_back > 0;
  const int64_t reach = windows.look_back * windows.window;
  const TileStep step = [=, mask = in.key_mask, type = in.query.scalar_type()](
                            const std::vector<Tensor>& tiles, int64_t first,
                            std::vector<Tensor>& state) {
    WindowKeys keys{.key = tiles[1], .value = tiles[2], .mask = mask, .first = first};
    if (has_past) {
      keys.first -= state[0].size(2);
      keys.key = join(state[0], tiles[1], reach);
      keys.value = join(state[1], tiles[2], reach);
    }
    if (mask.defined()) keys.mask = mask.narrow(1, keys.first, keys.key.size(2));
    return window_attention(tiles[0], first, keys, bias.defined() ? state.back() : bias, windows)
        .to(type);
  };
  std::vector<Tensor> state;
  if (has_past) state = {in.key.narrow(2, 0, 0), in.value.narrow(2, 0, 0)};
  if (bias.defined()) state.push_back(bias);
  return scan_tiles(step, {in.query, in.key, in.value}, state,
                    {tile_of(in.shape(), windows, in.query.device()), windows.window});
}

Cost window_cost(const Shape& s, const Windows& windows) {
  const double heads = static_cast<double>(s.B * s.H), widths = static_cast<double>(s.D + s.E);
  const double span = static_cast<double>(std::min(s.S, (windows.look_back + 1) * windows.window));
  const double tile = static_cast<double>(std::min(s.T, tile_of(s, windows)));
  const bool in_blocks = windows.window <= kWidestBlock;
  const double logits = heads * tile * span;  // of one tile; weights are as many
  const double held = in_blocks ? logits : std::min(logits, static_cast<double>(kLogitNumbers));
  const double joined = heads * tile * widths;  // keys and values, with those of blocks before
  return {.flop = 2 * heads * static_cast<double>(s.T) * span * widths,
          .bytes = s.traffic_bytes(),
          .memory_bytes = s.output_bytes() + s.compute_bytes() * (2 * held + joined),
          .backward_memory_bytes =
              s.output_bytes() + s.input_bytes() + s.compute_bytes() * (4 * logits + 3 * joined),
          .state_bytes = static_cast<double>(s.element_bytes * windows.kept(s.S)) * heads * widths};
}

Tensor window_attention_rows(const Inputs& in, const Tensor& bias, const Windows& windows,
                             const std::vector<int64_t>& rows) {
  const int64_t B = in.query.size(0), H = in.query.size(1), D = in.query.size(3),
                S = in.key.size(2);
  const Tensor P = bias.defined() ? bias.to(torch::kFloat64) : bias;
  Tensor out =
      torch::zeros({B, H, static_cast<int64_t>(rows.size()), in.value.size(3)}, in.value.options());
  for (size_t row = 0; row < rows.size(); ++row) {
    const int64_t t = rows[row];
    const int64_t block = t - t % windows.window;
    const int64_t from = std::max<int64_t>(0, block - windows.look_back * windows.window);
    const int64_t to = windows.causal ? t : std::min(S, block + windows.window) - 1;
    for (int64_t b = 0; b < B; ++b) {
      Tensor total = torch::zeros({H, 1}, in.query.options());
      Tensor sum = torch::zeros({H, in.value.size(3)}, in.value.options());
      Tensor largest = torch::full({H, 1}, kMinusInfinity, in.query.options());
      std::vector<std::pair<int64_t, Tensor>> logits;
      for (int64_t j = from; j <= to; ++j) {
        if (in.key_mask.defined() && !in.key_mask[b][j].item<bool>()) continue;
        Tensor logit =
            (in.query[b].select(1, t) * in.key[b].select(1, j)).sum(-1, true) / std::sqrt(D);
        if (P.defined()) logit = logit + P.select(1, t - j + windows.window - 1).unsqueeze(1);
        largest = torch::maximum(largest, logit);
        logits.emplace_back(j, logit);
      }
      for (const auto& [j, logit] : logits) {
        const Tensor weight = (logit - largest).exp();
        total += weight;
        sum += weight * in.value[b].select(1, j);
      }
      if (!logits.empty()) out[b].select(1, static_cast<int64_t>(row)).copy_(sum / total);
    }
  }
  return out;
}

WindowKeys stream_keys(KeyValueCache& cache, const Inputs& piece, int64_t position) {
  cache.append(piece.key, piece.value, piece.key_mask);
  return {cache.key(), cache.value(), cache.mask(), position + piece.key.size(2) - cache.length()};
}

}  // namespace lavo
