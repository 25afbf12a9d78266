// SPDX-License-Identifier: MIT
#include "experiments/recall/recall_layer.h"

#include "baselines/table.h"
#include "lavo/parts/delta_mechanism.h"

namespace lavo {

Setting recall_setting(const RecallLayerSizes& sizes) {
  return {.head_dim = sizes.head_dim,
          .value_dim = sizes.head_dim,
          .model_dim = sizes.input,
          .query_length = sizes.length,
          .key_length = sizes.length,
          .longest = sizes.length,
          .causal = true};
}

RecallLayer::RecallLayer(const std::string& mechanism, const json& options,
                         const RecallLayerSizes& sizes, at::Generator& generator) {
  const auto weight = [&](const char* name, int64_t to, int64_t from) {
    return register_parameter(name, initial_weight({to, from}, generator));
  };
  query_weight_ = weight("query_weight", sizes.head_dim, sizes.input);
  key_weight_ = weight("key_weight", sizes.head_dim, sizes.input);
  value_weight_ = weight("value_weight", sizes.head_dim, sizes.input);
  output_weight_ = weight("output_weight", sizes.output, sizes.head_dim);
  const auto seed = static_cast<uint64_t>(
      torch::randint(int64_t{1} << 62, {1}, generator, torch::kLong).item<int64_t>());
  mechanism_ = find_mechanism(mechanism).create(options, recall_setting(sizes), seed);
  mechanism_->to(torch::kFloat32);
  register_module("mechanism", mechanism_);
  if (const auto* recurrence = dynamic_cast<const DeltaMechanism*>(mechanism_.get())) {
    query_factor_ = 1 / recurrence->scale(sizes.head_dim);
  }
  declared_ = LayerInputs(*this, *mechanism_, options,
                          {.M = sizes.input,
                           .query_heads = 1,
                           .key_heads = 1,
                           .value_heads = 1,
                           .D = sizes.head_dim,
                           .E = sizes.head_dim},
                          LayerKind::kPlain, generator);
}

Inputs RecallLayer::mechanism_inputs(const Tensor& x) const {
  const auto head = [&](const Tensor& weight) { return at::linear(x, weight).unsqueeze(1); };
  Inputs to{.query = head(query_weight_),
            .key = head(key_weight_),
            .value = head(value_weight_),
            .causal = true};
  if (mechanism_->unit_queries()) to.query = l2_norm(to.query);
  if (query_factor_ != 1) to.query = to.query * query_factor_;
  if (mechanism_->unit_keys()) to.key = l2_norm(to.key);
  declared_.set(to, {.x_BTM = x}, key_weight_, value_weight_,
                [](const Tensor& of, const Tensor& weight) { return at::linear(of, weight); });
  return to;
}

Tensor RecallLayer::forward(const Tensor& x, const Tensor& asked) {
  const Tensor out = mechanism_->forward(mechanism_inputs(x)).squeeze(1).flatten(0, 1);
  return at::linear(out.index_select(0, asked), output_weight_);
}

int64_t RecallLayer::state_bytes(const Tensor& x) {
  torch::NoGradGuard no_grad;
  const auto state = mechanism_->new_state();
  mechanism_->forward(mechanism_inputs(x), *state);
  return state->bytes();
}

}  // namespace lavo
