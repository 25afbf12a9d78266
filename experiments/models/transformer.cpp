// SPDX-License-Identifier: MIT
#include "experiments/models/transformer.h"

namespace lavo {
namespace {

ModelOptions parts_of(const TransformerOptions& o, const json& mechanism_options) {
  const LayerOptions layer{.width = o.width,
                           .heads = o.heads,
                           .length = o.context,
                           .causal = true,
                           .position = o.position_encoding,
                           .kind = o.layer,
                           .switches = o.switches};
  const MixerChoice mixer{o.mechanism, mechanism_options};
  return {.embedding = {.inputs = o.vocabulary,
                        .width = o.width,
                        .position = o.position_encoding,
                        .context = o.context},
          .backbone = {.layer = layer, .mixers = std::vector(static_cast<size_t>(o.layers), mixer)},
          .head = {.kind = o.head, .outputs = o.outputs.value_or(o.vocabulary), .width = o.width}};
}

}  // namespace

Transformer::Transformer(const TransformerOptions& options, const json& mechanism_options,
                         uint64_t seed)
    : Model(parts_of(options, mechanism_options), seed), options_(options) {}

}  // namespace lavo
