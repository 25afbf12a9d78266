// SPDX-License-Identifier: MIT
#include "experiments/models/layer_recipe.h"

#include <algorithm>

namespace lavo {
namespace {

constexpr auto kPositionAxis = "position_encoding";

json plain_recipe(const Entry& mechanism, int64_t heads) {
  const auto position = static_cast<size_t>(default_position(mechanism));
  return {{"conv", "none"},
          {"activation", "none"},
          {"qk_norm", "none"},
          {"output_gate", "none"},
          {"output_norm", "none"},
          {"skip", "none"},
          {"expand_k", 1.0},
          {"expand_v", 1.0},
          {"qk_heads", heads},
          {"kv_heads", heads},
          {kPositionAxis, kPositionEncodings.at(position)}};
}

}  // namespace

const json& equal_layer() {
  static const json recipe = {{"conv", "short"},      {"activation", "silu"},
                              {"qk_norm", "rms"},     {"output_gate", "silu"},
                              {"output_norm", "rms"}, {kPositionAxis, "rope"}};
  return recipe;
}

json layer_recipe(LayerKind kind, const Entry& mechanism, int64_t heads) {
  json recipe = plain_recipe(mechanism, heads);
  if (kind == LayerKind::kOwn) recipe.update(mechanism.layer);
  if (kind == LayerKind::kEqual) recipe.update(equal_layer());
  return recipe;
}

LayerSwitches filled(const LayerSwitches& given, LayerKind kind, const Entry& mechanism,
                     int64_t heads) {
  json all = layer_recipe(kind, mechanism, heads);
  all.erase(kPositionAxis);
  const json wanted = write_options(given);
  for (const auto& [name, value] : wanted.items()) {
    if (!value.is_null()) all[name] = value;
  }
  return read_options<LayerSwitches>("attention", all, "switch");
}

LayerSwitches recorded(const LayerSwitches& filled, LayerKind kind, const Entry& mechanism,
                       int64_t heads) {
  if (kind != LayerKind::kOwn) return filled;
  const json recipe = layer_recipe(kind, mechanism, heads);
  json all = write_options(filled);
  for (auto& [name, value] : all.items()) {
    if (value == recipe.at(name)) value = nullptr;
  }
  return read_options<LayerSwitches>("attention", all, "switch");
}

PositionEncoding position_of(LayerKind kind, const Entry& mechanism) {
  const json recipe = layer_recipe(kind, mechanism, /*heads=*/1);
  const auto found =
      std::ranges::find(kPositionEncodings, recipe.at(kPositionAxis).get<std::string>());
  return static_cast<PositionEncoding>(found - kPositionEncodings.begin());
}

}  // namespace lavo
