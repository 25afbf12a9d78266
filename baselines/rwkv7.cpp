// SPDX-License-Identifier: MIT
#include "baselines/rwkv7.h"

#include <ATen/ops/linalg_solve_triangular.h>

#include <algorithm>
#include <cmath>

#include "lavo/core/pieces.h"
#include "lavo/parts/decayed_pairs.h"
#include "lavo/parts/tile_scan.h"

namespace lavo {
namespace {

constexpr int64_t kRwkv7Rank = 64;
constexpr double kRwkv7KeyScale = 0.85;  // the published code's first value, as are those below
constexpr double kRwkv7KeyShare = 1;
const double kRwkv7Strongest = -std::exp(-0.5);

/// Channels forget ever faster, from the first of the first head to the last of the last one.
Tensor rwkv7_decay_bias(at::IntArrayRef sizes, at::Generator&) {
  const int64_t count = sizes[0] * sizes[1];
  const Tensor part = torch::arange(count, torch::kFloat64) / std::max<int64_t>(count - 1, 1);
  return (-6.5 + 5 * part.pow(0.85)).view(sizes);
}

Tensor rwkv7_unit(const Tensor& x) {
  return x / x.norm(2, {-1}, /*keepdim=*/true).clamp_min(1e-12);
}

LayerRule::Start rwkv7_unit_normal(double scale) {
  return [scale](at::IntArrayRef sizes, at::Generator& generator) {
    return scale * rwkv7_unit(torch::randn(sizes, generator, torch::kFloat32));
  };
}

Tensor row_behind(const Tensor& x) {
  const Tensor none = torch::zeros_like(x.narrow(-2, 0, 1));
  return torch::cat({x.narrow(-2, 1, x.size(-2) - 1), none}, -2);
}

Tensor row_before(const Tensor& x) {
  const Tensor none = torch::zeros_like(x.narrow(-2, 0, 1));
  return torch::cat({none, x.narrow(-2, 0, x.size(-2) - 1)}, -2);
}

/// A tile, or one chunk of it at a time: each (B,H,T,X).
struct Rwkv7Tile {
  Tensor query, key, value, decay, a, b;
};

Tensor rwkv7_token(const Rwkv7Tile& x, Tensor& state) {
  const Tensor z = torch::matmul(x.a, state);
  state = state * x.decay.exp().transpose(2, 3) + torch::matmul(x.key.transpose(2, 3), x.value) +
          torch::matmul(x.b.transpose(2, 3), z);
  return torch::matmul(x.query, state);
}

/// (B,H,T,E); the state (B,H,D,E) is advanced.
Tensor rwkv7_tile(const Rwkv7Tile& given, Tensor& state) {
  const int64_t tokens = given.query.size(2), chunk = std::min(kChunk, tokens);
  const auto cut = [&](const Tensor& x) { return in_chunks(x, chunk); };
  const Tensor q = cut(given.query), k = cut(given.key), v = cut(given.value);
  const Tensor g = cut(given.decay), a = cut(given.a), b = cut(given.b);
  const Tensor reach = g.cumsum(-2).exp();  // from the chunk's start on
  const Tensor late = sums_after(g).exp();  // to its end

  // What a reads comes before its token's decay: it is what the row before would read.
  const Tensor readers = torch::stack({row_behind(a), q}).unsqueeze(1);
  const Tensor pairs =
      DecayedPairs(g, chunk).of(readers, torch::stack({k, b}).unsqueeze(0), /*strictly=*/false);
  const Tensor a_k = row_before(pairs[0][0]), a_b = row_before(pairs[0][1]);
  const Tensor first = torch::ones_like(reach.narrow(-2, 0, 1));
  const Tensor reach_before = torch::cat({first, reach.narrow(-2, 0, chunk - 1)}, -2);
  const Tensor matrix = torch::eye(chunk, a_b.options()) - a_b;
  const Tensor solved = at::linalg_solve_triangular(
      matrix, torch::cat({torch::matmul(a_k, v), a * reach_before}, -1), /*upper=*/false,
      /*left=*/true, /*unitriangular=*/true);
  const Tensor fresh = solved.narrow(-1, 0, v.size(-1));  // Z = fresh + recalled S
  const Tensor recalled = solved.narrow(-1, v.size(-1), a.size(-1));

  const Tensor kept = reach.narrow(-2, chunk - 1, 1).transpose(-2, -1);
  const Tensor added = torch::matmul((k * late).transpose(-2, -1), v);
  const Tensor late_b = (b * late).transpose(-2, -1);
  std::vector<Tensor> before, read;  // of each chunk
  for (int64_t n = 0; n < q.size(2); ++n) {
    before.push_back(state);
    read.push_back(fresh.select(2, n) + torch::matmul(recalled.select(2, n), state));
    state = state * kept.select(2, n) + added.select(2, n) +
            torch::matmul(late_b.select(2, n), read.back());
  }
  const Tensor output = torch::matmul(q * reach, torch::stack(before, 2)) +
                        torch::matmul(pairs[1][0], v) +
                        torch::matmul(pairs[1][1], torch::stack(read, 2));
  return output.flatten(2, 3).narrow(2, 0, tokens);
}

int64_t rwkv7_tile_length(const Shape& s, torch::Device device = torch::kCPU) {
  const double numbers =
      static_cast<double>(s.B * s.H * (12 * s.D + 5 * s.E + 4 * kPairBlock * s.D));
  return tile_length(s.compute_bytes() * numbers, 2 * kChunk, device);
}

}  // namespace

std::vector<InputSpec> Rwkv7::inputs() const {
  LayerRule decay{.rank = kRwkv7Rank, .start = rwkv7_decay_bias};
  decay.squash = [](const Tensor& raw, const Tensor&) { return kRwkv7Strongest * raw.sigmoid(); };
  LayerRule read{.kind = LayerRule::Kind::kLearned, .start = constant(kRwkv7KeyScale)};
  read.join = [](const Tensor& scale_HD, const Inputs& so_far) {
    return -rwkv7_unit(so_far.key * scale_HD.unsqueeze(1));
  };
  LayerRule write{.rank = kRwkv7Rank};
  write.squash = [](const Tensor& raw, const Tensor&) { return raw.sigmoid(); };
  write.join = [](const Tensor& share, const Inputs& so_far) { return -so_far["a"] * share; };
  write.own = [](const Tensor& share, const Tensor&, const Tensor& kept_HD, Inputs& so_far) {
    const Tensor kept = 1 + (share - 1) * kept_HD.unsqueeze(1);
    so_far.key = so_far.key * kept.to(so_far.key.scalar_type());
  };
  write.own_start = constant(kRwkv7KeyShare);
  return {{.name = "log_decay",
           .letters = "BHSD",
           .meaning = "natural logarithm of the decay of each channel, <= 0",
           .neutral = 0,
           .draw = uniform(-0.6, 0),
           .layer = decay,
           .extremes = {-30, 0}},
          {.name = "a",
           .letters = "BHSD",
           .meaning = "what is read of the state before its decay",
           .neutral = 0,
           .draw = rwkv7_unit_normal(1),
           .layer = read,
           .extremes = {0}},
          {.name = "b",
           .letters = "BHSD",
           .meaning = "where in the state that is written",
           .neutral = 0,
           .draw = rwkv7_unit_normal(0.5),
           .layer = write,
           .extremes = {0}}};
}

std::unique_ptr<State> Rwkv7::new_state() const {
  return std::make_unique<NamedState>(std::vector<std::string>{""});
}

Tensor Rwkv7::attend(const Inputs& in, State* state) {
  const Shape s = in.shape();
  const auto type = in.query.scalar_type();
  auto* carried = static_cast<NamedState*>(state);
  const auto options = in.query.options().dtype(compute_type(type));
  std::vector<Tensor> held = {NamedState::or_zeros(carried, "", {s.B, s.H, s.D, s.E}, options)};
  const TileStep step = [type](const std::vector<Tensor>& x, int64_t, std::vector<Tensor>& S) {
    const Rwkv7Tile tile{to_compute(x[0]), to_compute(x[1]), to_compute(x[2]),
                         to_compute(x[3]), to_compute(x[4]), to_compute(x[5])};
    return (x[0].size(2) == 1 ? rwkv7_token(tile, S[0]) : rwkv7_tile(tile, S[0])).to(type);
  };
  const Tensor output =
      scan_tiles(step, {in.query, in.key, in.value, in["log_decay"], in["a"], in["b"]}, held,
                 {rwkv7_tile_length(s, in.query.device()), kChunk});
  if (carried) (*carried)[""] = held[0];
  return output;
}

Tensor Rwkv7::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  return recurrent_rows(
      in, inputs(), rows, /*scale=*/1, [](const Tensor& S, const RecurrentToken& token) {
        const Tensor& a = token.gates.at("a");
        const Tensor& b = token.gates.at("b");
        const Tensor decay = token.gates.at("log_decay").exp();
        const Tensor found = (S * a.unsqueeze(3)).sum(2);
        return decay.unsqueeze(3) * S + b.unsqueeze(3) * found.unsqueeze(2) + outer(token);
      });
}

// Of a chunk: four matrices of pairs, the solve, what they are multiplied with, and the state's
// reads and writes.
Cost Rwkv7::cost(const Shape& s, Pattern) const {
  const double heads = static_cast<double>(s.B * s.H), T = static_cast<double>(s.T);
  const double D = static_cast<double>(s.D), E = static_cast<double>(s.E);
  const double C = static_cast<double>(std::min(kChunk, s.T));
  const double block = static_cast<double>(kPairBlock);
  const double token = 8 * C * D + C * (D + E) + 6 * C * E + 8 * D * E + 16 * D * block;
  const double gate_bytes = static_cast<double>(s.element_bytes) * heads * T * 3 * D;
  const double state = s.compute_bytes() * heads * D * E;
  const int64_t tile = std::min(s.T, rwkv7_tile_length(s));
  const double tile_bytes = s.compute_bytes() * heads * static_cast<double>(tile) *
                            (12 * D + 5 * E + 8 * C + 3 * block * D + 3 * D * E / C);
  const double tiles = std::ceil(T / static_cast<double>(tile));
  return {.flop = heads * T * token,
          .bytes = s.traffic_bytes() + gate_bytes,
          .memory_bytes = s.output_bytes() + 2 * state + tile_bytes,
          .backward_memory_bytes = s.output_bytes() + s.input_bytes() + gate_bytes +
                                   (tiles + 3) * state + 3 * tile_bytes,
          .state_bytes = state};
}

}  // namespace lavo
