// SPDX-License-Identifier: MIT
#include "experiments/models/model.h"

namespace lavo {

Model::Model(const ModelOptions& options, uint64_t seed) : Model(options, make_generator(seed)) {}

Model::Model(const ModelOptions& options, at::Generator generator)
    : embedding_(*this, options.embedding, generator),
      backbone_(*this, options.backbone, generator),
      head_(*this, options.head, generator) {}

Tensor Model::run(const ModelInput& in, StreamState* state) {
  const Tensor x =
      backbone_.forward({.x_BTM = embedding_.forward(in.input, state ? state->position : 0),
                         .mask = in.mask,
                         .memory_BSM = in.memory_BSM,
                         .memory_mask = in.memory_mask},
                        state);
  return head_.forward(x, in.mask);
}

Tensor Model::forward(const ModelInput& in) { return run(in, nullptr); }

Tensor Model::forward(const Tensor& input, StreamState& state) {
  return run({.input = input}, &state);
}

int64_t parameter_count(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

}  // namespace lavo
