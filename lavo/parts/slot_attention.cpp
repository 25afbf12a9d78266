// SPDX-License-Identifier: MIT
#include "lavo/parts/slot_attention.h"

#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>

#include "lavo/core/check.h"
#include "lavo/parts/slot_weights.h"
#include "lavo/parts/tile_scan.h"

namespace lavo {
namespace {

/// (B,H,T,X) -> (B,H,N,C,X). Behind the last token stand zeros, which fill no slot.
Tensor slot_chunks(const Tensor& x, int64_t chunk) {
  if (!x.defined()) return x;
  const int64_t T = x.size(2), N = (T + chunk - 1) / chunk;
  const Tensor whole = T == N * chunk ? x : at::constant_pad_nd(x, {0, 0, 0, N * chunk - T});
  return whole.unflatten(2, {N, chunk});
}

/// A tile of SlotAttention in the compute type; the state is advanced.
Tensor attend_slot_tile(const SlotAttention& tile, PackedSlots& state) {
  const int64_t tokens = tile.query.size(2);
  const int64_t blocks = (std::min(tokens, kSlotChunk) + kSlotBlock - 1) / kSlotBlock;
  const int64_t chunk = blocks * kSlotBlock;
  const Tensor q = slot_chunks(tile.query, chunk) * tile.scale;
  const Tensor k = slot_chunks(tile.key, chunk), v = slot_chunks(tile.value, chunk);
  const SlotWeights weights(slot_chunks(tile.slots, chunk), slot_chunks(tile.log_decay, chunk));
  const Tensor late = weights.at_end(), since = weights.since_begin();
  const Tensor key_added = torch::matmul(k.transpose(-2, -1), late);
  const Tensor value_added = torch::matmul(late.transpose(-2, -1), v);
  const Tensor kept = since.defined() ? since.narrow(-2, chunk - 1, 1) : since;  // (B,H,N,1,M)
  std::vector<Tensor> keys, values;                                              // at the begin
  for (int64_t n = 0; n < k.size(2); ++n) {
    keys.push_back(state.key.to(k.scalar_type()));
    values.push_back(state.value.to(v.scalar_type()));
    if (kept.defined()) {
      state.key = state.key * kept.select(2, n);
      state.value = state.value * kept.select(2, n).transpose(-2, -1);
    }
    state.key = state.key + key_added.select(2, n);
    state.value = state.value + value_added.select(2, n);
  }
  const auto faded = [&](const Tensor& x) { return since.defined() ? x * since : x; };
  const Tensor carried = faded(torch::matmul(q, torch::stack(keys, 2)));
  const Tensor p = (weights.filled(q, k) + carried).softmax(-1);
  const Tensor output = weights.read(p, v) + torch::matmul(faded(p), torch::stack(values, 2));
  return output.flatten(2, 3).narrow(2, 0, tokens);
}

/// One token: the recurrence as it stands.
Tensor attend_slot_token(const SlotAttention& token, PackedSlots& state) {
  if (token.log_decay.defined()) {
    const Tensor kept = token.log_decay.exp();
    state.key = state.key * kept;
    state.value = state.value * kept.transpose(2, 3);
  }
  state.key = state.key + token.key.transpose(2, 3) * token.slots;
  state.value = state.value + token.slots.transpose(2, 3) * token.value;
  const auto type = token.query.scalar_type();
  return read_slots(token.query, {state.key.to(type), state.value.to(type)}, token.scale);
}

/// Numbers a token of a tile that are held at once.
double slot_tile_numbers(const Shape& s, const SlotCost& call) {
  const double M = static_cast<double>(call.slots), block = static_cast<double>(kSlotBlock);
  const double widths = static_cast<double>(s.D + s.E), chunk = static_cast<double>(kSlotChunk);
  return 4 * widths + 8 * M + 2 * M * widths / chunk + (call.decays ? 2 * block * M : 2 * chunk);
}

int64_t slot_tile(const Shape& s, const SlotCost& call, torch::Device device = torch::kCPU) {
  const double bytes = s.compute_bytes() * static_cast<double>(s.B * s.H);
  return tile_length(bytes * slot_tile_numbers(s, call), 2 * kSlotChunk, device);
}

double input_bytes_of_slots(const Shape& s, const SlotCost& call) {
  return static_cast<double>(s.element_bytes * s.B * s.H * s.S * call.inputs);
}

}  // namespace

Tensor slot_attention(const SlotAttention& call, NamedState* carried) {
  const auto type = call.query.scalar_type();
  const Shape shape{.B = call.query.size(0),
                    .H = call.query.size(1),
                    .T = call.query.size(2),
                    .S = call.key.size(2),
                    .D = call.query.size(3),
                    .E = call.value.size(3),
                    .element_bytes = static_cast<int64_t>(call.query.element_size())};
  const int64_t M = call.slots.size(3);
  const bool decays = call.log_decay.defined();
  // Sums of single tokens without end would lose digits in float32; decayed ones forget them.
  const auto options = call.query.options().dtype(decays ? compute_type(type) : torch::kFloat64);
  const auto begin = [&](const char* name, at::IntArrayRef sizes) {
    const Tensor held = carried ? (*carried)[name] : Tensor();
    return held.defined() ? held.to(options) : torch::zeros(sizes, options);
  };
  std::vector<Tensor> state = {begin("key", {shape.B, shape.H, shape.D, M}),
                               begin("value", {shape.B, shape.H, M, shape.E})};
  std::vector<Tensor> sequences = {call.query, call.key, call.value, call.slots};
  if (decays) sequences.push_back(call.log_decay);
  const TileStep step = [scale = call.scale, type](const std::vector<Tensor>& tiles, int64_t,
                                                   std::vector<Tensor>& held) {
    const auto wide = [&](size_t i) { return to_compute(tiles[i]); };
    const SlotAttention tile{.query = wide(0),
                             .key = wide(1),
                             .value = wide(2),
                             .slots = wide(3),
                             .log_decay = tiles.size() > 4 ? wide(4) : Tensor(),
                             .scale = scale};
    PackedSlots slots{held[0], held[1]};
    const Tensor output =
        tiles[0].size(2) == 1 ? attend_slot_token(tile, slots) : attend_slot_tile(tile, slots);
    held = {slots.key, slots.value};
    return output.to(type);
  };
  const SlotCost cost{.slots = M, .inputs = 0, .decays = decays};
  const Tensor output =
      scan_tiles(step, sequences, state, {slot_tile(shape, cost, call.query.device()), kSlotChunk});
  if (carried) {
    (*carried)["key"] = state[0];
    (*carried)["value"] = state[1];
  }
  return output;
}

PackedSlots pack_slots(const Tensor& key, const Tensor& value, const Tensor& logits) {
  const Tensor nothing = logits.detach().amax(2, /*keepdim=*/true).isneginf();
  const Tensor weight =
      logits.masked_fill(nothing, 0).softmax(2).masked_fill(nothing, 0).transpose(2, 3);
  return {torch::matmul(weight, key).transpose(2, 3), torch::matmul(weight, value)};
}

Tensor read_slots(const Tensor& query, const PackedSlots& slots, double scale) {
  return torch::matmul(torch::matmul(query * scale, slots.key).softmax(-1), slots.value);
}

MemoryView view_slots(const Tensor& query, const PackedSlots& slots, double scale) {
  const Tensor weight = torch::matmul(query * scale, slots.key).softmax(-1);
  return {slots.key.transpose(2, 3), slots.value, weight.squeeze(2)};
}

Cost causal_slot_cost(const Shape& s, const SlotCost& call) {
  const double heads = static_cast<double>(s.B * s.H), T = static_cast<double>(s.T);
  const double widths = static_cast<double>(s.D + s.E), M = static_cast<double>(call.slots);
  const double C = static_cast<double>(std::min(kSlotChunk, s.T));
  const double block = static_cast<double>(kSlotBlock);
  const double inputs = input_bytes_of_slots(s, call);
  const double state = (call.decays ? s.compute_bytes() : 8) * heads * M * widths;
  const int64_t tile = std::min(s.T, slot_tile(s, call));
  const double tile_bytes =
      s.compute_bytes() * heads * static_cast<double>(tile) * slot_tile_numbers(s, call);
  const double tiles = static_cast<double>((s.T + tile - 1) / tile);
  const double pairs = C * (widths + 2 * M) + (call.decays ? 4 * block * M : 0);
  return {.flop = heads * T * (pairs + 4 * M * widths),
          .bytes = s.traffic_bytes() + inputs,
          .memory_bytes = s.output_bytes() + 2 * state + tile_bytes,
          .backward_memory_bytes =
              s.output_bytes() + s.input_bytes() + inputs + (tiles + 3) * state + 3 * tile_bytes,
          .state_bytes = state};
}

Cost packed_slot_cost(const Shape& s, const SlotCost& call) {
  const double heads = static_cast<double>(s.B * s.H), M = static_cast<double>(call.slots);
  const double T = static_cast<double>(s.T), S = static_cast<double>(s.S);
  const double widths = static_cast<double>(s.D + s.E);
  const double weights = s.compute_bytes() * heads * M * (2 * S + 2 * T);
  const double slots = s.compute_bytes() * heads * M * widths;
  const double wide = s.element_bytes < 4 ? 2 * s.input_bytes() : s.query_bytes();
  return {.flop = 2 * heads * M * widths * (T + S),
          .bytes = s.traffic_bytes() + input_bytes_of_slots(s, call),
          .memory_bytes = s.output_bytes() + wide + weights + slots,
          .backward_memory_bytes = 2 * s.output_bytes() + s.input_bytes() + 2 * wide +
                                   input_bytes_of_slots(s, call) + 2 * weights + 2 * slots};
}

void check_slots(const std::string& owner, const Inputs& in, const std::vector<InputSpec>& specs,
                 int64_t count) {
  for (const InputSpec& spec : specs) {
    const size_t at = spec.letters.find('M');
    if (at == std::string::npos) continue;
    const Tensor x = in[spec.name];
    require<ShapeError>(x.size(static_cast<int64_t>(at)) == count,
                        "{}: '{}' is {}: option 'slot_count' is {}", owner, spec.name,
                        sizes_text(x), count);
  }
}

}  // namespace lavo
