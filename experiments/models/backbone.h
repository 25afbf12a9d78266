// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/mixer.h"

namespace lavo {

struct BackboneOptions {
  LayerOptions layer = {};                ///< of every mixer
  std::vector<MixerChoice> mixers = {};   ///< one a block: a hybrid lists different ones
  std::optional<MixerChoice> cross = {};  ///< after it in each block: a mixer over the memory
};

/// What a stream carries from piece to piece: a state a block, and the tokens seen.
struct StreamState {
  std::vector<std::unique_ptr<State>> blocks;
  int64_t position = 0;
};

struct BackboneInput {
  Tensor x_BTM;
  Tensor mask = {};         ///< [B, T] true = real token; undefined: all are
  Tensor memory_BSM = {};   ///< with a cross mixer
  Tensor memory_mask = {};  ///< [B, S]
};

/// Pre-norm blocks: x' = x + mixer(norm(x));  x'' = x' + cross(norm(x'), memory);
/// x''' = x'' + mlp(norm(x''));  mlp(x) = W_2 gelu(W_1 x + b_1) + b_2, 4 M wide; a norm at the end.
/// A padded token has no influence on the outputs of others; its own mean nothing.
class Backbone {
 public:
  /// Registers layer0, layer1, ..., norm_weight and norm_bias in `owner`.
  Backbone(torch::nn::Module& owner, const BackboneOptions& options, at::Generator& generator);

  /// [B, T, M] -> [B, T, M]; with `state` the next piece of a causal sequence.
  Tensor forward(const BackboneInput& in, StreamState* state) const;
  /// Throws OptionError where a mixer has no streaming state.
  StreamState new_state() const;

 private:
  struct Block;
  std::vector<std::shared_ptr<Block>> blocks_;
  Tensor norm_weight_, norm_bias_;
};

}  // namespace lavo
