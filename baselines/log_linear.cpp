// SPDX-License-Identifier: MIT
#include "baselines/log_linear.h"

#include <ATen/ops/softplus.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "lavo/core/check.h"
#include "lavo/core/pieces.h"
#include "lavo/parts/decayed_pairs.h"
#include "lavo/parts/tile_scan.h"

namespace lavo {
namespace {

/// The state means nothing without the bits of the position.
class LevelState final : public NamedState {
 public:
  LevelState() : NamedState({"levels"}) {}
  bool needs_position() const override { return true; }
};

/// At which level t sees j <= t.
int64_t level_of(int64_t t, int64_t j) { return std::bit_width(static_cast<uint64_t>(t ^ j)); }

/// The state of each level in front of a token: [l - 1]; undefined where there is none.
using LevelStates = std::vector<Tensor>;

Tensor index_matrix(int64_t rows, int64_t columns, torch::Device device,
                    const std::function<int64_t(int64_t row, int64_t column)>& entry) {
  const Tensor matrix = torch::empty({rows, columns}, torch::kLong);
  auto* at = matrix.data_ptr<int64_t>();
  for (int64_t i = 0; i < rows * columns; ++i) at[i] = entry(i / columns, i % columns);
  return matrix.to(device);
}

/// levels (..,C,L) -> (..,C,X), where row r, column x is that of the level index[r][x].
Tensor weights_at(const Tensor& levels, const Tensor& index) {
  std::vector<int64_t> sizes = levels.sizes().vec();
  sizes.back() = index.size(1);
  return levels.gather(-1, index.expand(sizes));
}

/// Sequences (B,H,N,C,X): N chunks of C tokens, the first of which stands at `position`.
struct LevelChunks {
  Tensor query, key, value, decay, levels;
  int64_t position;
  int64_t chunk() const { return query.size(3); }
};

void add_to_level(LevelStates& states, int64_t level, const Tensor& x) {
  Tensor& state = states.at(static_cast<size_t>(level - 1));
  state = state.defined() ? state + x : x;
}

/// The states behind chunk n, from those in front of it.
LevelStates behind(const LevelChunks& x, int64_t n, const Tensor& late_key, const Tensor& kept,
                   const LevelStates& before) {
  const int64_t C = x.chunk(), start = x.position + n * C, end = start + C;
  LevelStates after(before.size());
  for (size_t i = 0; i < before.size(); ++i) {
    if (!before[i].defined()) continue;
    const int64_t level = std::max(level_of(end, start), static_cast<int64_t>(i) + 1);
    add_to_level(after, level, before[i] * kept.select(2, n));
  }
  for (int64_t first = 0; first < C;) {  // tokens of one level stand together
    const int64_t level = level_of(end, start + first);
    int64_t next = first + 1;
    while (next < C && level_of(end, start + next) == level) ++next;
    const auto part = [&](const Tensor& y) {
      return y.select(2, n).narrow(2, first, next - first);
    };
    add_to_level(after, level, torch::matmul(part(late_key).transpose(2, 3), part(x.value)));
    first = next;
  }
  return after;
}

/// What chunk n reads of the states in front of it; undefined where there is none.
Tensor read_levels(const LevelChunks& x, int64_t n, const Tensor& read, const LevelStates& states) {
  const int64_t C = x.chunk(), start = x.position + n * C;
  std::vector<int64_t> which;
  std::vector<Tensor> held;
  for (size_t i = 0; i < states.size(); ++i) {
    if (!states[i].defined()) continue;
    which.push_back(static_cast<int64_t>(i) + 1);
    held.push_back(states[i]);
  }
  if (held.empty()) return {};
  const auto columns = static_cast<int64_t>(which.size());
  const Tensor index = index_matrix(C, columns, x.query.device(), [&](int64_t r, int64_t column) {
    return std::max(level_of(start + r, start), which[static_cast<size_t>(column)]);
  });
  const Tensor weights = weights_at(x.levels.select(2, n), index);  // (B,H,C,columns)
  const Tensor readers = read.select(2, n).unsqueeze(3) * weights.unsqueeze(4);
  return torch::matmul(readers.flatten(3), torch::cat(held, 2));
}

/// (B,H,N C,E). More than one chunk only where chunks stand at multiples of their length: then all
/// have the same levels inside.
Tensor attend_chunks(const LevelChunks& x, LevelStates& states) {
  const int64_t C = x.chunk();
  const Tensor index = index_matrix(C, C, x.query.device(), [&](int64_t r, int64_t j) {
    return j < r ? level_of(x.position + r, x.position + j) : 0;
  });
  const Tensor pairs = DecayedPairs(x.decay, C).of(x.query, x.key, /*strictly=*/false);
  const Tensor inside = torch::matmul(pairs * weights_at(x.levels, index), x.value);
  const Tensor reach = x.decay.cumsum(-2).exp();  // (B,H,N,C,1)
  const Tensor read = x.query * reach, kept = reach.narrow(3, C - 1, 1);
  const Tensor late_key = x.key * sums_after(x.decay).exp();
  std::vector<Tensor> outputs;
  for (int64_t n = 0; n < x.query.size(2); ++n) {
    const Tensor earlier = read_levels(x, n, read, states);
    const Tensor own = inside.select(2, n);
    outputs.push_back(earlier.defined() ? own + earlier : own);
    states = behind(x, n, late_key, kept, states);
  }
  return torch::cat(outputs, 2);
}

/// A tile from `position` on: up to the next multiple of a chunk, whole chunks, and what is left.
Tensor attend_levels(const std::vector<Tensor>& x, int64_t position, Tensor& state) {
  const int64_t T = x[0].size(2), L = state.size(2);
  LevelStates states(static_cast<size_t>(L));
  for (int64_t i = 0; i < L; ++i) {
    if (position >> i & 1) states[static_cast<size_t>(i)] = state.select(2, i);
  }
  Pieces outputs(T);
  for (int64_t first = 0, count = 0; first < T; first += count) {
    const int64_t to_edge = kChunk - (position + first) % kChunk, left = T - first;
    const int64_t whole = to_edge == kChunk ? left / kChunk : 0;
    count = whole > 0 ? whole * kChunk : std::min(to_edge, left);
    const auto part = [&](size_t i) {
      const int64_t N = std::max<int64_t>(whole, 1);
      return to_compute(x[i].narrow(2, first, count)).unflatten(2, {N, count / N});
    };
    outputs.add(attend_chunks(
        {part(0), part(1), part(2), part(3).unsqueeze(4), part(4), position + first}, states));
  }
  std::vector<Tensor> all;
  for (const Tensor& level : states) {
    all.push_back(level.defined() ? level : torch::zeros_like(state.select(2, 0)));
  }
  state = torch::stack(all, 2);
  return outputs.result();
}

int64_t level_tile_length(const Shape& s, int64_t levels, torch::Device device = torch::kCPU) {
  const double numbers = static_cast<double>(s.B * s.H * (5 * s.D + 3 * s.E + levels + 3 * kChunk));
  return tile_length(s.compute_bytes() * numbers, 4 * kChunk, device);
}

}  // namespace

std::vector<InputSpec> LogLinear::inputs() const {
  LayerRule rule{.scale = constant(1)};
  rule.squash = [](const Tensor& raw, const Tensor& scale) { return at::softplus(scale * raw); };
  return {stepped_decay("BHS", 1, 16),
          {.name = "levels",
           .letters = "BHTL",
           .meaning = "the query's weight of each level",
           .draw = uniform(0, 1),
           .layer = rule,
           .count_option = "level_count",
           .extremes = {0}}};
}

std::unique_ptr<State> LogLinear::new_state() const { return std::make_unique<LevelState>(); }

void LogLinear::check(const Inputs& in, const State* state) const {
  const int64_t tokens = (state ? state->position : 0) + in.query.size(2);
  const int64_t given = in["levels"].size(3);
  require<ShapeError>(given == options_.level_count,
                      "log_linear: 'levels' are {}, option 'level_count' is {}", given,
                      options_.level_count);
  require<ShapeError>(tokens <= longest(),
                      "log_linear: {} tokens are more than the {} that {} levels hold: option "
                      "'level_count' must be at least {}",
                      tokens, longest(), given,
                      1 + std::bit_width(static_cast<uint64_t>(tokens - 1)));
}

Tensor LogLinear::attend(const Inputs& in, State* state) {
  const Shape s = in.shape();
  const auto type = in.query.scalar_type();
  auto* carried = static_cast<NamedState*>(state);
  const auto options = in.query.options().dtype(compute_type(type));
  const int64_t L = options_.level_count, position = state ? state->position : 0;
  std::vector<Tensor> held = {
      NamedState::or_zeros(carried, "levels", {s.B, s.H, L, s.D, s.E}, options)};
  const TileStep step = [type, position](const std::vector<Tensor>& x, int64_t first,
                                         std::vector<Tensor>& S) {
    return attend_levels(x, position + first, S[0]).to(type);
  };
  const Tensor output =
      scan_tiles(step, {in.query, in.key, in.value, in["log_decay"], in["levels"]}, held,
                 {level_tile_length(s, L, in.query.device()), kChunk});
  if (carried) (*carried)["levels"] = held[0];
  return output;
}

// Every weight from the definition: level l >= 1 of t, if bit l - 1 of t is set, is of the 2^(l-1)
// tokens before t - (t mod 2^(l-1)).
Tensor LogLinear::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  Tensor key = in.key, value = in.value, decay = in["log_decay"];
  for (Tensor* x : {&key, &value, &decay}) {
    if (in.key_mask.defined()) *x = hide_rows(*x, in.key_mask, 2);
  }
  std::vector<Tensor> outputs;
  for (const int64_t t : rows) {
    // What the tokens behind j, t among them, leave of it.
    const Tensor later = decay.narrow(2, 1, t).flip(2).cumsum(2).flip(2).exp();
    const Tensor query = in.query.narrow(2, t, 1), lambda = in["levels"].select(2, t);
    const auto block = [&](int64_t first, int64_t count, int64_t level) {
      Tensor weight = torch::matmul(query, key.narrow(2, first, count).transpose(2, 3)) *
                      lambda.narrow(2, level, 1).unsqueeze(2);
      if (level > 0) weight = weight * later.narrow(2, first, count).unsqueeze(2);
      return torch::matmul(weight, value.narrow(2, first, count));
    };
    Tensor output = block(t, 1, 0);
    for (int64_t level = 1; level < options_.level_count; ++level) {
      const int64_t size = int64_t{1} << (level - 1);
      if (t / size % 2 == 1) output = output + block(t - t % size - size, size, level);
    }
    outputs.push_back(output);
  }
  return torch::cat(outputs, 2);
}

// Half of the levels above a chunk are there on average.
Cost LogLinear::cost(const Shape& s, Pattern) const {
  const double heads = static_cast<double>(s.B * s.H), T = static_cast<double>(s.T);
  const double D = static_cast<double>(s.D), E = static_cast<double>(s.E);
  const double L = static_cast<double>(options_.level_count);
  const double C = static_cast<double>(std::min(kChunk, s.T));
  const double read = std::max(std::log2(T / C), 0.0) / 2;
  const double token = 2 * C * (D + E) + 2 * D * E * (1 + read);
  const double gate_bytes = static_cast<double>(s.element_bytes) * heads * T * (1 + L);
  const double state = s.compute_bytes() * heads * L * D * E;
  const int64_t tile = std::min(s.T, level_tile_length(s, options_.level_count));
  const double tile_bytes = s.compute_bytes() * heads * static_cast<double>(tile) *
                            (5 * D + 3 * E + L + 3 * C + read * (D + D * E / C));
  const double tiles = std::ceil(T / static_cast<double>(tile));
  return {.flop = heads * T * token,
          .bytes = s.traffic_bytes() + gate_bytes,
          .memory_bytes = s.output_bytes() + 2 * state + tile_bytes,
          .backward_memory_bytes = s.output_bytes() + s.input_bytes() + gate_bytes +
                                   (tiles + 3) * state + 3 * tile_bytes,
          .state_bytes = state};
}

}  // namespace lavo
