// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/backbone.h"
#include "experiments/models/embedding.h"
#include "experiments/models/head.h"

namespace lavo {

struct ModelInput {
  Tensor input;             ///< [B, T] int64 tokens, or [B, T, numbers]
  Tensor mask = {};         ///< [B, T] true = real token; undefined: all are
  Tensor memory_BSM = {};   ///< for the cross mixers
  Tensor memory_mask = {};  ///< [B, S]
};

struct ModelOptions {
  EmbeddingOptions embedding = {};
  BackboneOptions backbone = {};
  HeadOptions head = {};
};

/// Embedding, backbone and head: what the trainer trains, whatever the task.
class Model : public torch::nn::Module {
 public:
  /// Random numbers come from `seed` alone.
  Model(const ModelOptions& options, uint64_t seed);

  Tensor forward(const ModelInput& in);
  Tensor forward(const Tensor& input) { return forward(ModelInput{.input = input}); }
  /// The next piece of a causal sequence.
  Tensor forward(const Tensor& input, StreamState& state);
  /// Throws OptionError where a mixer has no streaming state.
  StreamState new_state() const { return backbone_.new_state(); }

  torch::Device device() const { return embedding_.device(); }

 private:
  Model(const ModelOptions& options, at::Generator generator);
  Tensor run(const ModelInput& in, StreamState* state);

  Embedding embedding_;
  Backbone backbone_;
  Head head_;
};

int64_t parameter_count(const torch::nn::Module& module);

}  // namespace lavo
