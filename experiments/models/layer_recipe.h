// SPDX-License-Identifier: MIT
// The kinds of layers, by the switches that they set for a mechanism.
#pragma once

#include "experiments/models/layer.h"

namespace lavo {

/// What the kind `equal` sets; the rest is the plain layer's.
const json& equal_layer();

/// Every switch, and position_encoding, by name.
///
/// plain: every switch off, rope where the mechanism encodes no positions itself. own: over that
/// what its paper puts around it, as its entry in the table says. equal: the same for all.
json layer_recipe(LayerKind kind, const Entry& mechanism, int64_t heads);

/// What is given, and the rest as the kind says. Throws OptionError where the recipe of an entry
/// names what is no switch.
LayerSwitches filled(const LayerSwitches& given, LayerKind kind, const Entry& mechanism,
                     int64_t heads);

/// What a record says of a layer: of `own` only the switches that differ from the recipe, which is
/// another for each mechanism and would set them apart; of the others every one. Whoever changes a
/// recipe raises the spec_version of the experiments that train models.
LayerSwitches recorded(const LayerSwitches& filled, LayerKind kind, const Entry& mechanism,
                       int64_t heads);

PositionEncoding position_of(LayerKind kind, const Entry& mechanism);

}  // namespace lavo
