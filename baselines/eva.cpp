// SPDX-License-Identifier: MIT
#include "baselines/eva.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lavo/core/check.h"
#include "lavo/core/pieces.h"
#include "lavo/parts/window_summaries.h"

namespace lavo {
namespace {

constexpr double kHiddenToken = -std::numeric_limits<double>::infinity();

/// Holds the chunks of all finished windows, and behind them the tokens of the open one.
struct EvaState final : State {
  Named named() const override { return rows.named(); }
  bool assign(const std::string& name, const Tensor& x) override { return rows.assign(name, x); }
  int64_t token_dim(const std::string& name) const override { return rows.token_dim(name); }
  void detach() override { rows.detach(); }

  KeyValueCache rows;
};

KeyValueRows all_of(const KeyValueCache& rows) { return {rows.key(), rows.value(), rows.mask()}; }

void append(KeyValueCache& rows, const KeyValueRows& more) {
  if (more.key.size(2) > 0) rows.append(more.key, more.value, more.mask);
}

int64_t eva_tile(const Shape& s, const EvaOptions& options, torch::Device device = torch::kCPU) {
  const double logits = static_cast<double>(options.window + s.S / options.chunk);
  return tile_length(s.compute_bytes() * static_cast<double>(s.B * s.H) * logits, options.window,
                     device);
}

/// Rows that stand for so many tokens.
int64_t rows_after(int64_t tokens, const EvaOptions& options) {
  return tokens / options.window * (options.window / options.chunk) + tokens % options.window;
}

}  // namespace

void EvaOptions::validate() const {
  require_option(window % chunk == 0, "chunk",
                 "eva: option 'chunk' must divide 'window' {}, got {}", window, chunk);
}

Patterns Eva::supported() {
  const std::string past = "summaries are of earlier windows";
  return {{past + ", and later ones have none", "", past + ", which another sequence has not",
           past + ", which another sequence has not"}};
}

std::vector<InputSpec> Eva::inputs() const {
  LayerRule rule;
  rule.kind = LayerRule::Kind::kLearned;
  rule.start = [](at::IntArrayRef sizes, at::Generator& generator) {
    const double scale = 1 / std::sqrt(static_cast<double>(sizes.back()));
    return torch::randn(sizes, generator, torch::kFloat32).clamp(-1, 1) * scale;
  };
  return {{.name = "mu",
           .letters = "HD",
           .meaning = "which keys of a chunk its key is made of",
           .draw = normal(),
           .layer = rule},
          {.name = "phi",
           .letters = "HD",
           .meaning = "which values of a chunk its value is made of",
           .draw = normal(),
           .layer = rule}};
}

std::unique_ptr<State> Eva::new_state() const { return std::make_unique<EvaState>(); }

void Eva::check(const Inputs&, const State* state) const {
  if (!state) return;
  const int64_t held = static_cast<const EvaState*>(state)->rows.length();
  const int64_t wanted = rows_after(state->position, options_);
  require<ShapeError>(held == wanted, "eva: a state of {} tokens holds {} keys, got {}",
                      state->position, wanted, held);
}

Tensor Eva::attend(const Inputs& in, State* state) {
  const WindowSummaries call{.mu = to_compute(in["mu"]),
                             .phi = to_compute(in["phi"]),
                             .scale = 1 / std::sqrt(static_cast<double>(in.key.size(3))),
                             .window = options_.window,
                             .chunk = options_.chunk};
  EvaState own;
  KeyValueCache& rows = state ? static_cast<EvaState*>(state)->rows : own.rows;
  const KeyValueRows tokens{to_compute(in.key), to_compute(in.value), in.key_mask};
  const Tensor query = to_compute(in.query);
  const int64_t T = query.size(2), window = options_.window;
  const int64_t open = state ? state->position % window : 0;
  const int64_t head = open > 0 ? std::min(T, window - open) : 0, rest = T - head;
  Pieces outputs(T);
  if (head > 0) {
    append(rows, tokens.narrow(0, head));
    outputs.add(call.attend_open_window(query.narrow(2, 0, head), all_of(rows)));
    if (open + head == window) {
      const KeyValueRows all = all_of(rows);
      const int64_t finished = all.key.size(2) - window;
      KeyValueCache closed;
      append(closed, all.narrow(0, finished));
      append(closed, call.of(all.narrow(finished, window)));
      rows = closed;
    }
  }
  if (rest == 0) return outputs.result();
  const KeyValueRows behind = tokens.narrow(head, rest);
  const int64_t whole = rest / window * window;
  KeyValueCache chunks;
  if (rows.length() > 0) append(chunks, all_of(rows));
  append(chunks, call.of(behind.narrow(0, whole)));
  const KeyValueRows seen = chunks.length() > 0 ? all_of(chunks) : behind.narrow(0, 0);
  outputs.add(call.attend_windows(query.narrow(2, head, rest), behind, seen,
                                  eva_tile(in.shape(), options_, query.device())));
  if (state) {
    rows = chunks;
    append(rows, behind.narrow(whole, rest - whole));
  }
  return outputs.result();
}

// Chunk by chunk, then row by row.
Tensor Eva::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  const int64_t w = options_.window, c = options_.chunk;
  const double root = std::sqrt(static_cast<double>(in.key.size(3)));
  const auto flags = in.key.options().dtype(torch::kBool);
  const Tensor mask =
      in.key_mask.defined() ? in.key_mask : torch::ones({in.key.size(0), in.key.size(2)}, flags);
  const Tensor key = hide_rows(in.key, mask, 2), value = hide_rows(in.value, mask, 2);
  // sum_j softmax_j(logits (B,H,n)) x_j over the real ones: (B,H,1,X); zeros without any.
  const auto average = [](const Tensor& logits, const Tensor& real_Bn, const Tensor& x) {
    const Tensor real = real_Bn.unsqueeze(1).to(logits.scalar_type());
    const Tensor largest =
        logits.masked_fill(real == 0, kHiddenToken).amax(2, true).nan_to_num(0, 0, 0);
    const Tensor weight = (logits - largest).masked_fill(real == 0, 0).exp() * real;
    const Tensor total = weight.sum(2, true);
    const Tensor share = weight / torch::where(total > 0, total, torch::ones_like(total));
    return (share.unsqueeze(3) * x).sum(2, true);
  };
  std::vector<Tensor> keys, values, real;
  const int64_t last = *std::ranges::max_element(rows);
  for (int64_t j = 0; j < last / w * w; j += c) {
    const Tensor k = key.narrow(2, j, c), mask_Bc = mask.narrow(1, j, c);
    const Tensor mu = (k * in["mu"].unsqueeze(1)).sum(3), phi = (k * in["phi"].unsqueeze(1)).sum(3);
    keys.push_back(average(mu, mask_Bc, k));
    values.push_back(average((phi - (k * k).sum(3) / 2) / root, mask_Bc, value.narrow(2, j, c)));
    real.push_back(mask_Bc.any(1, true));
  }
  Pieces outputs(static_cast<int64_t>(rows.size()));
  for (const int64_t t : rows) {
    const int64_t begin = t / w * w, own = t + 1 - begin;
    const auto with_chunks = [&](const std::vector<Tensor>& chunks, const Tensor& x, int64_t dim) {
      std::vector<Tensor> all(chunks.begin(), chunks.begin() + begin / c);
      all.push_back(x.narrow(dim, begin, own));
      return torch::cat(all, dim);
    };
    const Tensor k = with_chunks(keys, key, 2);
    outputs.add(average((k * in.query.narrow(2, t, 1)).sum(3) / root, with_chunks(real, mask, 1),
                        with_chunks(values, value, 2)));
  }
  return outputs.result();
}

Cost Eva::cost(const Shape& s, Pattern) const {
  const double heads = static_cast<double>(s.B * s.H), T = static_cast<double>(s.T);
  const double widths = static_cast<double>(s.D + s.E);
  const double w = static_cast<double>(options_.window), c = static_cast<double>(options_.chunk);
  const double compute = s.compute_bytes(), chunk_bytes = compute * heads * T / c * widths;
  const int64_t tile = std::min(s.T, eva_tile(s, options_));
  const double logits = std::min(w, T) + T / c;
  const double tile_bytes = compute * heads * static_cast<double>(tile) * (3 * logits + widths);
  const double wide = s.element_bytes < 4 ? 2 * s.input_bytes() : 0;
  return {.flop = 2 * heads * T * widths * (std::min(w, T) + T / (2 * c) + 2),
          .bytes = s.traffic_bytes(),
          .memory_bytes = s.output_bytes() + wide + 3 * chunk_bytes + tile_bytes,
          .backward_memory_bytes =
              s.output_bytes() + s.input_bytes() + 2 * wide + 6 * chunk_bytes + 2 * tile_bytes,
          .state_bytes = compute * heads * widths * static_cast<double>(rows_after(s.S, options_))};
}

}  // namespace lavo
