// SPDX-License-Identifier: MIT
#include "baselines/mesa.h"

#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/linalg_cholesky_ex.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/softplus.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lavo/core/pieces.h"
#include "lavo/parts/decayed_pairs.h"
#include "lavo/parts/tile_scan.h"

namespace lavo {
namespace {

constexpr double kSmallestLambda = 0.25, kFirstLambda = 1;

/// Lower factors of matrices (..,D,D); NaN where one is not positive definite.
Tensor cholesky_or_nan(const Tensor& matrix) {
  const auto [factor, info] = at::linalg_cholesky_ex(matrix);
  return factor.masked_fill(info.ne(0).unsqueeze(-1).unsqueeze(-1),
                            std::numeric_limits<double>::quiet_NaN());
}

Tensor cholesky_times(const Tensor& factor, const Tensor& x) {
  return at::cholesky_solve(x.unsqueeze(-1), factor).squeeze(-1);
}

/// A tile, each (B,H,T,X), and what is there once: lambda (H,D).
struct MesaTile {
  Tensor query, key, value, decay, beta, lambda;
};

/// (B,H,T,E); the states (B,H,D,D) and (B,H,D,E) are advanced.
Tensor mesa_tile(const MesaTile& given, Tensor& key_state, Tensor& value_state) {
  const int64_t tokens = given.query.size(2), chunk = std::min(kChunk, tokens);
  const auto cut = [&](const Tensor& x) { return in_chunks(x, chunk); };
  const Tensor q = cut(given.query), k = cut(given.key), g = cut(given.decay);
  const Tensor beta = cut(given.beta), beta_k = beta * k, beta_v = beta * cut(given.value);
  const int64_t D = k.size(-1), E = beta_v.size(-1);
  const Tensor lambda = given.lambda.view({-1, 1, 1, D});
  const Tensor reach = g.cumsum(-2).exp();  // (B,H,N,C,1)
  const DecayedPairs pairs(g, chunk);

  const Tensor kept = reach.narrow(-2, chunk - 1, 1);
  const Tensor added =
      torch::matmul((k * sums_after(g).exp()).transpose(-2, -1), torch::cat({beta_k, beta_v}, -1));
  Tensor state = torch::cat({key_state, value_state}, -1);
  std::vector<Tensor> before;  // each chunk
  for (int64_t n = 0; n < q.size(2); ++n) {
    before.push_back(state);
    state = state * kept.select(2, n) + added.select(2, n);
  }
  key_state = state.narrow(-1, 0, D);
  value_state = state.narrow(-1, D, E);
  const Tensor both = torch::stack(before, 2);
  const Tensor keys = both.narrow(-1, 0, D), values = both.narrow(-1, D, E);
  const auto read = [&](const Tensor& x, const Tensor& held, const Tensor& written) {
    return torch::matmul(x * reach, held) +
           torch::matmul(pairs.of(x, k, /*strictly=*/false), written);
  };

  // x = A^{-1} q without a history, and then x + A^{-1} (q - A x): the value is that of one step of
  // refinement, and d(A^{-1} q) = A^{-1} (dq - dA x) comes of the bracket alone, which needs no
  // matrix of its own for each token.
  Tensor factor, x;
  {
    const torch::NoGradGuard no_grad;
    const Tensor squares = (beta_k.unsqueeze(-1) * k.unsqueeze(-2)).flatten(-2);
    const Tensor decays = decays_between(g.squeeze(-1), /*strictly=*/false);
    const Tensor matrix = torch::matmul(decays, squares).unflatten(-1, {D, D}) +
                          reach.unsqueeze(-1) * keys.unsqueeze(-3) + lambda.diag_embed();
    factor = cholesky_or_nan(matrix);
    x = cholesky_times(factor, q);
  }
  const Tensor product = read(x, keys.transpose(-2, -1), beta_k) + lambda * x;
  x = x + cholesky_times(factor, q - product);
  return read(x, values, beta_v).flatten(2, 3).narrow(2, 0, tokens);
}

double mesa_token_numbers(const Shape& s) {
  return static_cast<double>(4 * s.D * s.D + 8 * s.D + 4 * s.E + 2 * kChunk);
}

int64_t mesa_tile_length(const Shape& s, torch::Device device = torch::kCPU) {
  const double heads = static_cast<double>(s.B * s.H);
  return tile_length(s.compute_bytes() * heads * mesa_token_numbers(s), kChunk, device);
}

}  // namespace

std::vector<InputSpec> Mesa::inputs() const {
  LayerRule decay;
  decay.squash = [](const Tensor& raw, const Tensor&) { return torch::log_sigmoid(raw); };
  LayerRule lambda{.kind = LayerRule::Kind::kLearned,
                   .start = constant(std::log(std::expm1(kFirstLambda - kSmallestLambda)))};
  lambda.squash = [](const Tensor& raw, const Tensor&) {
    return at::softplus(raw) + kSmallestLambda;
  };
  return {{.name = "log_decay",
           .letters = "BHS",
           .meaning = "natural logarithm of the decay, <= 0",
           .neutral = 0,
           .draw = uniform(-1, 0),
           .layer = decay,
           .extremes = {-30, 0}},
          sigmoid_beta(),
          {.name = "lambda",
           .letters = "HD",
           .meaning = "what is added to the diagonal of the keys' sum, > 0",
           .draw = uniform(0.5, 1.5),
           .layer = lambda}};
}

std::unique_ptr<State> Mesa::new_state() const {
  return std::make_unique<NamedState>(std::vector<std::string>{"kk", "kv"});
}

// lambda goes along as a part of the state that stays: what a tile wants gradients of it must be
// given.
Tensor Mesa::attend(const Inputs& in, State* state) {
  const Shape s = in.shape();
  const auto type = in.query.scalar_type();
  auto* carried = static_cast<NamedState*>(state);
  const auto options = in.query.options().dtype(compute_type(type));
  std::vector<Tensor> held = {
      NamedState::or_zeros(carried, "kk", {s.B, s.H, s.D, s.D}, options),
      NamedState::or_zeros(carried, "kv", {s.B, s.H, s.D, s.E}, options),
      to_compute(in["lambda"]),
  };
  const TileStep step = [type](const std::vector<Tensor>& x, int64_t, std::vector<Tensor>& S) {
    const MesaTile tile{to_compute(x[0]),  to_compute(x[1]),  to_compute(x[2]),
                        gate_column(x[3]), gate_column(x[4]), S[2]};
    return mesa_tile(tile, S[0], S[1]).to(type);
  };
  const Tensor output = scan_tiles(step, {in.query, in.key, in.value, in["log_decay"], in["beta"]},
                                   held, {mesa_tile_length(s, in.query.device()), kChunk});
  if (carried) {
    (*carried)["kk"] = held[0].contiguous();
    (*carried)["kv"] = held[1].contiguous();
  }
  return output;
}

Tensor Mesa::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  const Shape s = in.shape();
  const Tensor start = torch::zeros({s.B, s.H, s.D, s.D + s.E}, in.query.options());
  const RecurrentStep step = [](const Tensor& S, const RecurrentToken& token) {
    const Tensor decay = token.gates.at("log_decay").exp().view({S.size(0), -1, 1, 1});
    const Tensor beta = token.gates.at("beta").view({S.size(0), -1, 1, 1});
    return decay * S +
           beta * token.key.unsqueeze(3) * torch::cat({token.key, token.value}, 2).unsqueeze(2);
  };
  const RecurrentRead read = [&](const Tensor& S, const RecurrentToken& token) {
    const Tensor matrix = S.narrow(3, 0, s.D) + in["lambda"].diag_embed();
    const Tensor x = at::linalg_solve(matrix, token.query.unsqueeze(3));
    return (S.narrow(3, s.D, s.E) * x).sum(2);
  };
  return recurrent_rows(in, inputs(), rows, start, step, read);
}

// Of a token: the sum of its matrix, its factor and two solves; three matrices of pairs and their
// products; the states' reads and writes.
Cost Mesa::cost(const Shape& s, Pattern) const {
  const double heads = static_cast<double>(s.B * s.H), T = static_cast<double>(s.T);
  const double D = static_cast<double>(s.D), E = static_cast<double>(s.E);
  const double C = static_cast<double>(std::min(kChunk, s.T));
  const double token = 2 * C * D * D + D * D * D / 3 + 4 * D * D +  //
                       6 * C * D + 2 * C * E + 4 * D * (D + E);
  const double gate_bytes =
      static_cast<double>(s.element_bytes) * (2 * heads * T + static_cast<double>(s.H) * D);
  const double state = s.compute_bytes() * heads * D * (D + E);
  const int64_t tile = std::min(s.T, mesa_tile_length(s));
  const double tile_bytes = s.compute_bytes() * heads * static_cast<double>(tile) *
                            (mesa_token_numbers(s) + 2 * D * (D + E) / C);
  const double tiles = std::ceil(T / static_cast<double>(tile));
  return {.flop = heads * T * token,
          .bytes = s.traffic_bytes() + gate_bytes,
          .memory_bytes = s.output_bytes() + 2 * state + tile_bytes,
          .backward_memory_bytes = s.output_bytes() + s.input_bytes() + gate_bytes +
                                   (tiles + 3) * state + 2 * tile_bytes,
          .state_bytes = state};
}

}  // namespace lavo
