// SPDX-License-Identifier: MIT
#include "lavo/lavo_options.h"

#include <cmath>

#include "lavo/core/check.h"
#include "lavo/parts/running_mean.h"

namespace lavo {

void LavoOptions::visit(OptionVisitor& v) {
  v.integer("bases", bases, between(1, 65536),
            "R, rows of the memory; above the width they are stacked orthonormal blocks", small(6));
  v.integer("window", window, between(1, 65536), "W, tokens in a window", small(5));
  v.boolean("dissect", dissect, "exact attention inside the window; false leaves the memory alone");
  v.choice("position", position, kWindowPositions,
           "learned bias by distance inside the window; unset: relative, none without dissect");
  v.choice("bases_init", bases_init, kBasesInits, "how the bases are drawn");
  v.choice("bases_train", bases_train, {"fixed", "free", "orthogonal"},
           "whether they are trained, and kept orthonormal while they are");
  v.choice("memory", memory, {"context", "shared", "key_value", "slots", "address"},
           "what is projected: the layer's input, the values, or keys and values apart; slots and "
           "address: bases say where whole keys and values are written to; unset: context in a "
           "layer, else key_value");
  v.number_or_word("mix", mix, between(0, 1), {"learned"},
                   "share of the local part; learned: a gate for each head, 1/2 at the start");
  v.number_or_word("decay", decay, {0, 1, false, true}, {"multiscale"},
                   "of the running mean, by token; multiscale: one for each row, from 1/2 to "
                   "511/512; other than 1 only for causal self attention");
  v.choice("global_scale", global_scale, {"none", "rows"}, "rows: the memory's output times R");
  v.integer("look_back", look_back, between(0, 64),
            "blocks before the query's own in the local part");
  v.later([&] {
    v.number_or_word(
        "temperature", temperature, above(0), {"learned"},
        "tau, of addresses; learned: one for each head, from the default on; unset: 1, "
        "with unit sqrt(D)");
    v.boolean("unit", unit, "of slots and address: keys and queries are made unit vectors");
    v.boolean("slot_gate", slot_gate,
              "of slots and address: a decay for each row that the token says, input slot_gate");
    v.choice(
        "write", write, {"mean", "sum", "delta"},
        "of address: how values are written; delta corrects what is there, as input beta says");
  });
}

void LavoOptions::validate() const {
  require_option(dissect || position != WindowPosition::kRelative, "position",
                 "lavo: option 'position' relative needs dissect: it biases the window");
  const auto needs_addresses = [&](bool given, const char* name) {
    require_option(!given || has_addresses(), name,
                   "lavo: option '{}' is of memory slots or address", name);
  };
  needs_addresses(temperature.has_value(), "temperature");
  needs_addresses(unit, "unit");
  needs_addresses(slot_gate, "slot_gate");
  require_option(write == MemoryWrite::kMean || memory == MemoryKind::kAddress, "write",
                 "lavo: option 'write' sum and delta are of memory address");
  require_option(!has_addresses() || global_scale == GlobalScale::kNone, "global_scale",
                 "lavo: option 'global_scale' rows is for memories of means, not slots or address");
}

void LavoOptions::resolve(const Setting& setting) {
  if (has_addresses()) {
    if (!temperature) temperature = NumberOrWord{};
    const double start = unit ? std::sqrt(static_cast<double>(setting.head_dim)) : 1;
    if (temperature->number == 0) temperature->number = start;
  }
  if (!position) position = dissect ? WindowPosition::kRelative : WindowPosition::kNone;
  if (!memory) memory = setting.in_layer() ? MemoryKind::kContext : MemoryKind::kKeyValue;
  require_option(
      memory != MemoryKind::kContext || setting.in_layer(), "memory",
      "lavo: option 'memory' context projects a layer's input, and bare query, key and value have "
      "none; use shared or key_value");
}

Tensor LavoOptions::row_decays() const {
  if (decay.is("multiscale")) return multiscale_decays(bases);
  return decay.number == 1 ? Tensor() : torch::full({1}, decay.number, torch::kFloat64);
}

}  // namespace lavo
