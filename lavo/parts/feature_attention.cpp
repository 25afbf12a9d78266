// SPDX-License-Identifier: MIT
#include "lavo/parts/feature_attention.h"

#include <algorithm>
#include <cmath>

#include "lavo/core/check.h"
#include "lavo/core/pieces.h"
#include "lavo/parts/causal_sum.h"
#include "lavo/parts/tile_scan.h"

namespace lavo {
namespace {

/// [v, 1]; both are zero where the key is padded.
Tensor with_ones(const Tensor& value, const Tensor& mask_BT) {
  const int64_t B = value.size(0), H = value.size(1), T = value.size(2);
  const auto options = value.options().dtype(compute_type(value.scalar_type()));
  const Tensor ones =
      mask_BT.defined() ? mask_BT.to(options).view({B, 1, T, 1}) : torch::ones({1}, options);
  return torch::cat({to_compute(value), ones.expand({B, H, T, 1})}, 3);
}

/// One call: the steps that tiles go through.
class Call {
 public:
  Call(const FeatureAttention& attention, const Inputs& in, int64_t position, bool fused)
      : attention_(attention),
        fused_(fused),
        mask_BS_(in.key_mask),
        position_(position),
        type_(in.query.scalar_type()) {}

  /// The next tokens of a causal sequence.
  Tensor next(const Tensor& query, const Tensor& key, const Tensor& value, int64_t first,
              std::vector<Tensor>& state) const {
    CausalSum carried{state[0], attention_.has_levels ? state[1].detach() : Tensor()};
    const FeatureTile keys = key_tile(key, first);
    const Tensor phi = query_features(query, first);
    const auto [key_phi, level] = attention_.key(keys, carried.level_BH1);
    if (fused_) return next_fused(phi, {key_phi, level}, value, keys.mask_BT, state);
    const Tensor sums =
        causal_sum(phi, key_phi, with_ones(value, keys.mask_BT), level, attention_.chunk, carried);
    state[0] = carried.sum_BHME;
    if (attention_.has_levels) state[1] = carried.level_BH1;
    return output(sums, phi);
  }

  /// Adds keys to the sums over all of them.
  void add(const Tensor& key, const Tensor& value, int64_t first,
           std::vector<Tensor>& state) const {
    const FeatureTile keys = key_tile(key, first);
    const Tensor phi = attention_.key(keys, {}).phi_BHTM;
    state[0] = state[0] + torch::matmul(phi.transpose(2, 3), with_ones(value, keys.mask_BT));
  }

  /// Reads the sums over all keys.
  Tensor read(const Tensor& query, int64_t first, const std::vector<Tensor>& state) const {
    const Tensor phi = query_features(query, first);
    return output(torch::matmul(phi, state[0]), phi);
  }

 private:
  /// The same by the operator, which has the sums the other way round.
  Tensor next_fused(const Tensor& phi, const KeyFeatures& key, const Tensor& value,
                    const Tensor& mask_BT, std::vector<Tensor>& state) const {
    const bool levels = attention_.has_levels;
    const FeatureOutputs out =
        attend_features({.query = phi,
                         .key = key.phi_BHTM,
                         .value = value,
                         .key_mask = mask_BT,
                         .level = key.level_BHT,
                         .sum = state[0].transpose(2, 3),
                         .sum_level = levels ? state[1].detach().squeeze(2) : Tensor(),
                         .normaliser = attention_.normaliser});
    state[0] = out.sum.transpose(2, 3);
    if (levels) state[1] = key.level_BHT.narrow(2, phi.size(2) - 1, 1);
    return out.output;
  }
  Tensor query_features(const Tensor& query, int64_t first) const {
    return attention_.query({to_compute(query), {}, position_ + first});
  }
  FeatureTile key_tile(const Tensor& key, int64_t first) const {
    return {to_compute(key), mask_BS_.defined() ? mask_BS_.narrow(1, first, key.size(2)) : Tensor(),
            position_ + first};
  }
  Tensor output(const Tensor& sums, const Tensor& phi) const {
    const int64_t E = sums.size(3) - 1;
    const FeatureNormaliser& by = attention_.normaliser;
    Tensor total = sums.narrow(3, E, 1);
    if (by.epsilon != 0) total = total + by.epsilon;
    if (by.feature_epsilon != 0) total = total + by.feature_epsilon * phi.sum(3, /*keepdim=*/true);
    total = by.smallest > 0 ? total.clamp_min(by.smallest) : total.masked_fill(total == 0, 1);
    return (sums.narrow(3, 0, E) / total).to(type_);
  }

  FeatureAttention attention_;
  bool fused_;
  Tensor mask_BS_;
  int64_t position_;
  torch::ScalarType type_;
};

std::vector<Tensor> empty_state(const FeatureAttention& attention, const Inputs& in) {
  const Shape s = in.shape();
  const auto options = in.query.options().dtype(compute_type(in.query.scalar_type()));
  std::vector<Tensor> state = {
      torch::zeros({s.B, s.H, attention.features, s.E + 1}, options.dtype(torch::kFloat64))};
  if (attention.has_levels) state.push_back(torch::full({s.B, s.H, 1}, kNoLevel, options));
  return state;
}

Tensor attend_by_features(const FeatureAttention& attention, const Inputs& in, State* state,
                          bool fused) {
  auto* stream = static_cast<FeatureState*>(state);
  const Call call(attention, in, stream ? stream->position : 0, fused);
  const int64_t tile =
      feature_tile_length(in.shape(), attention.features, attention.chunk, in.query.device());
  std::vector<Tensor> sums = empty_state(attention, in);
  if (stream && !stream->held.empty()) {
    require<ShapeError>(stream->held.size() == sums.size(),
                        "a stream of features carries {} tensors, got {}", sums.size(),
                        stream->held.size());
    sums = stream->held;
  }
  if (in.pattern() != Pattern::kCausalSelf) {
    const TileStep add = [call](const auto& tiles, int64_t first, auto& held) {
      call.add(tiles[0], tiles[1], first, held);
      return Tensor();
    };
    const TileStep read = [call](const auto& tiles, int64_t first, auto& held) {
      return call.read(tiles[0], first, held);
    };
    const auto type = compute_type(in.query.scalar_type());
    scan_tiles(add, {in.key, in.value}, sums, {tile});
    sums[0] = sums[0].to(type);
    return scan_tiles(read, {in.query}, sums, {tile});
  }
  const TileStep next = [call](const auto& tiles, int64_t first, auto& held) {
    return call.next(tiles[0], tiles[1], tiles[2], first, held);
  };
  Tensor output = scan_tiles(next, {in.query, in.key, in.value}, sums, {tile, attention.chunk});
  if (stream) stream->held = sums;
  return output;
}

}  // namespace

State::Named FeatureState::named() const {
  Named result;
  if (!held.empty()) result.emplace_back("sum", held[0]);
  if (held.size() > 1) result.emplace_back("level", held[1]);
  return result;
}

bool FeatureState::assign(const std::string& name, const Tensor& x) {
  if (name != "sum" && name != "level") return false;
  const size_t index = name == "sum" ? 0 : 1;
  if (held.size() <= index) held.resize(index + 1);
  held[index] = x;
  return true;
}

void FeatureState::merge(const State& next) {
  const auto& later = static_cast<const FeatureState&>(next);
  if (!later.held.empty() && held.empty())
    held = later.held;
  else if (!later.held.empty()) {
    Tensor sum = held[0], more = later.held[0];
    if (held.size() > 1) {  // sums stand for exp(level) times themselves
      const Tensor level = torch::maximum(held[1], later.held[1]);
      const auto lowered = [&](const Tensor& own) {
        return (own - level).exp().unsqueeze(3).to(torch::kFloat64);
      };
      sum = sum * lowered(held[1]);
      more = more * lowered(later.held[1]);
      held[1] = level;
    }
    held[0] = sum + more;
  }
  position = next.position;
}

void FeatureState::detach() {
  for (Tensor& x : held) x = x.detach();
}

std::string FeatureMechanism::not_fused(const CallFacts& call) const {
  if (call.pattern != Pattern::kCausalSelf) return "only causal self attention is fused";
  return attend_features_refusal({.device = call.device.type(),
                                  .type = call.type,
                                  .B = call.shape.B,
                                  .H = call.shape.H,
                                  .T = call.shape.T,
                                  .M = feature_count(call.shape.D),
                                  .E = call.shape.E,
                                  .levels = has_levels(/*causal_self=*/true)});
}

Tensor FeatureMechanism::attend(const Inputs& in, State* state) {
  return attend_by_features(attention(in, state != nullptr), in, state, /*fused=*/false);
}

Tensor FeatureMechanism::attend_fused(const Inputs& given, State* state) {
  if (given.pattern() != Pattern::kCausalSelf ||
      !can_attend_features(given.value, feature_count(given.query.size(3)),
                           has_levels(/*causal_self=*/true))) {
    return {};
  }
  Inputs in = given;
  if (in.key_mask.defined()) in.key = hide_rows(in.key, in.key_mask, 2);
  return attend_by_features(attention(in, state != nullptr), in, state, /*fused=*/true);
}

int64_t feature_tile_length(const Shape& s, int64_t features, int64_t chunk, torch::Device device) {
  // The backward pass keeps the sums at every edge: with fewer tokens they would outweigh these.
  constexpr int64_t kFewest = 256;
  const double token_bytes =
      s.compute_bytes() * static_cast<double>(s.B * s.H * (2 * features + s.E));
  return tile_length(token_bytes, std::max(chunk, kFewest), device);
}

Cost FeatureMechanism::feature_cost(const Shape& s, Pattern pattern, int64_t chunk,
                                    double feature_flop) const {
  const int64_t features = feature_count(s.D);
  const double heads = static_cast<double>(s.B * s.H), T = static_cast<double>(s.T),
               S = static_cast<double>(s.S), M = static_cast<double>(features),
               E = static_cast<double>(s.E + 1);
  const bool in_chunks = pattern == Pattern::kCausalSelf;
  const bool fused = in_chunks && implementation() == Implementation::kFused;
  const int64_t together = std::min(fused ? cpu::kFeatureChunk : chunk, s.T);
  const double C = in_chunks ? static_cast<double>(together) : 0;
  const double state = 8 * heads * M * E;
  const double longest = static_cast<double>(std::max(s.T, s.S));
  const double tile = static_cast<double>(feature_tile_length(s, features, chunk));
  // In a tile: features and what they are made of, values, sums, scores, and the sums in front of
  // its chunks, of which the fused form keeps the features; the backward pass holds all of them
  // and their gradients.
  const double tile_floats = fused       ? 3 * M + E
                             : in_chunks ? 3 * M + 3 * E + C + 2 * M * E / C
                                         : 2 * M + 2 * E;
  const double tile_bytes = s.compute_bytes() * heads * std::min(longest, tile) * tile_floats;
  return {.flop = heads * (2 * (T + S) * M * E + T * C * 2 * (M + E) + (T + S) * feature_flop),
          .bytes = s.traffic_bytes(),
          .memory_bytes = s.output_bytes() + state + tile_bytes,
          .backward_memory_bytes = s.output_bytes() + s.input_bytes() +
                                   (std::ceil(longest / tile) + 2) * state + 2.5 * tile_bytes,
          .state_bytes = state};
}

}  // namespace lavo
