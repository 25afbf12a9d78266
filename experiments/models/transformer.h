// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/model.h"

namespace lavo {

struct TransformerOptions {
  std::string mechanism = "vanilla";
  PositionEncoding position_encoding = PositionEncoding::kRope;
  int64_t vocabulary = 256;
  int64_t layers = 2;
  int64_t width = 64;
  int64_t heads = 2;
  int64_t context = 512;
  LayerKind layer = LayerKind::kPlain;
  LayerSwitches switches = {};
  HeadKind head = HeadKind::kVocabulary;
  std::optional<int64_t> outputs = {};

  void visit(OptionVisitor& v) {
    v.text("mechanism", mechanism, "name in the table of mechanisms");
    v.choice("position_encoding", position_encoding, kPositionEncodings, "of the layers");
    v.integer("vocabulary", vocabulary, between(2, 65536), "token kinds");
    v.integer("layers", layers, between(1, 1024), "attention and feed-forward pairs");
    v.integer("width", width, between(1, 65536), "M, numbers a token between layers");
    v.integer("heads", heads, between(1, 1024), "H, a divisor of width");
    v.integer("context", context, between(1, 1 << 24), "tokens of a training sequence");
    v.choice("layer", layer, kLayerKinds, "what stands around the mechanism");
    switches.visit(v);
    v.choice("head", head, kHeadKinds, "what is said of each token");
    v.integer("outputs", outputs, between(1, 65536), "of the head; unset: vocabulary");
  }
};

/// Causal model over tokens with one mechanism in all its blocks, by what a checkpoint says of it.
class Transformer : public Model {
 public:
  Transformer(const TransformerOptions& options, const json& mechanism_options, uint64_t seed);
  const TransformerOptions& options() const { return options_; }

 private:
  TransformerOptions options_;
};

}  // namespace lavo
