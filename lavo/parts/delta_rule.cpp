// SPDX-License-Identifier: MIT
#include "lavo/parts/delta_rule.h"

#include <ATen/ops/linalg_solve_triangular.h>

#include <algorithm>

#include "lavo/core/pieces.h"
#include "lavo/parts/decayed_pairs.h"
#include "lavo/parts/tile_scan.h"

namespace lavo {
namespace {

/// What one tile is made of, in chunks.
struct Chunks {
  Tensor query, key, value, decay, erase, write;
};

Tensor times_optional(const Tensor& x, const Tensor& factor) {
  return factor.defined() ? x * factor : x;
}

/// One tile: (B,H,T,E); the state (B,H,D,E) is advanced.
Tensor attend_tile(const Chunks& given, int64_t tokens, double scale, Tensor& state) {
  const int64_t chunk = std::min(kChunk, tokens);
  const auto cut = [&](const Tensor& x) { return in_chunks(x, chunk); };
  const Tensor q = cut(given.query) * scale, k = cut(given.key);
  const Tensor g = cut(given.decay), e = cut(given.erase);
  const Tensor v = times_optional(cut(given.value), cut(given.write));
  const Tensor total = g.defined() ? g.cumsum(-2) : g;
  const DecayedPairs pairs(g, chunk);
  const Tensor read = total.defined() ? q * total.exp() : q;
  const Tensor last = total.defined() ? total.narrow(-2, chunk - 1, 1) : total;
  const Tensor late_key = g.defined() ? k * sums_after(g).exp() : k;
  const Tensor kept = total.defined() ? last.exp().transpose(-2, -1) : last;  // (B,H,N,1 or D,1)
  Tensor fresh = v, recalled;  // U = fresh - recalled S
  if (e.defined()) {
    const Tensor erased = e * k;
    const Tensor lower = pairs.of(erased, k, /*strictly=*/true);
    const Tensor matrix = lower + torch::eye(chunk, lower.options());
    const Tensor from = total.defined() ? erased * total.exp() : erased;
    const Tensor solved = at::linalg_solve_triangular(matrix, torch::cat({v, from}, -1),
                                                      /*upper=*/false, /*left=*/true,
                                                      /*unitriangular=*/true);
    fresh = solved.narrow(-1, 0, v.size(-1));
    recalled = solved.narrow(-1, v.size(-1), k.size(-1));
  }
  const Tensor late_key_t = late_key.transpose(-2, -1);
  std::vector<Tensor> before, news;  // of each chunk
  const int64_t count = k.size(2);
  const Tensor added = recalled.defined() ? Tensor() : torch::matmul(late_key_t, fresh);
  for (int64_t n = 0; n < count; ++n) {
    before.push_back(state);
    if (kept.defined()) state = state * kept.select(2, n);
    if (recalled.defined()) {
      news.push_back(fresh.select(2, n) - torch::matmul(recalled.select(2, n), before.back()));
      state = state + torch::matmul(late_key_t.select(2, n), news.back());
    } else {
      state = state + added.select(2, n);
    }
  }
  const Tensor u = recalled.defined() ? torch::stack(news, 2) : fresh;
  const Tensor output = torch::matmul(read, torch::stack(before, 2)) +
                        torch::matmul(pairs.of(q, k, /*strictly=*/false), u);
  return output.flatten(2, 3).narrow(2, 0, tokens);
}

/// One token: the recurrence as it stands.
Tensor attend_token(const Chunks& x, double scale, Tensor& state) {
  if (x.decay.defined()) state = state * x.decay.exp().transpose(2, 3);
  const Tensor key_t = x.key.transpose(2, 3);
  Tensor u = times_optional(x.value, x.write);
  if (x.erase.defined()) u = u - torch::matmul(x.erase * x.key, state);
  state = state + key_t * u;
  return torch::matmul(x.query * scale, state);
}

int64_t delta_tile(const Shape& s, bool vector_decay, torch::Device device = torch::kCPU) {
  const int64_t pairs = vector_decay ? kPairBlock * s.D : 2 * kChunk;
  const double token_bytes =
      s.compute_bytes() * static_cast<double>(s.B * s.H * (6 * s.D + 4 * s.E + pairs));
  return tile_length(token_bytes, 4 * kChunk, device);
}

}  // namespace

Tensor delta_rule(const DeltaRule& call, NamedState* carried) {
  const auto type = call.query.scalar_type();
  const int64_t B = call.query.size(0), H = call.query.size(1), D = call.query.size(3),
                E = call.value.size(3);
  const auto options = call.query.options().dtype(compute_type(type));
  std::vector<Tensor> state = {NamedState::or_zeros(carried, "", {B, H, D, E}, options)};
  std::vector<Tensor> sequences = {call.query, call.key, call.value};
  // Where each optional sequence stands; 0: nowhere.
  std::array<size_t, 3> place = {};
  const std::array<Tensor, 3> optional = {call.log_decay, call.erase, call.write};
  for (size_t i = 0; i < optional.size(); ++i) {
    if (!optional[i].defined()) continue;
    place[i] = sequences.size();
    sequences.push_back(optional[i]);
  }
  const TileStep step = [place, scale = call.scale, type](const std::vector<Tensor>& tiles, int64_t,
                                                          std::vector<Tensor>& held) {
    const auto wide = [&](size_t i) { return to_compute(tiles[i]); };
    const auto gate = [&](size_t i) { return place[i] ? wide(place[i]) : Tensor(); };
    const Chunks chunks{wide(0), wide(1), wide(2), gate(0), gate(1), gate(2)};
    const int64_t tokens = tiles[0].size(2);
    const Tensor output = tokens == 1 ? attend_token(chunks, scale, held[0])
                                      : attend_tile(chunks, tokens, scale, held[0]);
    return output.to(type);
  };
  Shape shape{.B = B, .H = H, .T = call.query.size(2), .S = call.key.size(2), .D = D, .E = E};
  shape.element_bytes = static_cast<int64_t>(call.query.element_size());
  const bool vector_decay = call.log_decay.defined() && call.log_decay.size(3) > 1;
  const Tensor output = scan_tiles(step, sequences, state,
                                   {delta_tile(shape, vector_decay, call.query.device()), kChunk});
  if (carried) (*carried)[""] = state[0];
  return output;
}

Cost delta_cost(const Shape& s, bool vector_decay, bool erases, int64_t gates) {
  const double heads = static_cast<double>(s.B * s.H), T = static_cast<double>(s.T);
  const double D = static_cast<double>(s.D), E = static_cast<double>(s.E);
  const double C = static_cast<double>(std::min(kChunk, s.T));
  const double token = 2 * C * (D + E) + 4 * D * E +
                       (erases ? 2 * C * D + C * (D + E) + 2 * D * E : 0) +
                       (vector_decay ? 4 * D * static_cast<double>(kPairBlock) : 0);
  const double gate_bytes = static_cast<double>(s.element_bytes * gates) * heads * T;
  const double state = s.compute_bytes() * heads * D * E;
  const int64_t tile = std::min(s.T, delta_tile(s, vector_decay));
  const double pairs = vector_decay ? 3 * static_cast<double>(kPairBlock) * D : 3 * C;
  const double tile_bytes = s.compute_bytes() * heads * static_cast<double>(tile) *
                            (6 * D + 4 * E + pairs + 2 * D * E / C);
  const double tiles = static_cast<double>((s.T + tile - 1) / tile);
  return {.flop = heads * T * token,
          .bytes = s.traffic_bytes() + gate_bytes,
          .memory_bytes = s.output_bytes() + 2 * state + tile_bytes,
          .backward_memory_bytes = s.output_bytes() + s.input_bytes() + gate_bytes +
                                   (tiles + 3) * state + 3 * tile_bytes,
          .state_bytes = state};
}

Patterns recurrent_patterns() {
  const std::string order = "a recurrence reads the tokens in their order";
  return {{order + ", and none that is later", "", order + ", which those of another sequence lack",
           order + ", which those of another sequence lack"}};
}

}  // namespace lavo
