// SPDX-License-Identifier: MIT
// What experiments that train a model of one mechanism share: the axes of the model and of its
// training, and what follows from them.
#pragma once

#include "experiments/models/trained_model.h"

namespace lavo {

enum class TrainingType { kFloat32, kBfloat16 };

struct ModelAxes {
  std::string mechanism = "lavo";
  std::optional<PositionEncoding> position_encoding;
  int64_t layers = 2, width = 64, heads = 2;
  LayerKind layer = LayerKind::kPlain;
  LayerSwitches switches;
  int64_t context = 512, batch = 2, accumulate = 1, steps = 600, warmup = 50;
  double learning_rate = 8e-3, weight_decay = 0.1, clip = 1;
  std::optional<TrainingType> dtype;
  std::string device = "cpu";
  int64_t threads = 1;
  int64_t seed = 0;

  void visit(OptionVisitor& v);
};

/// Fills what is unset of the axes; `owner` begins messages. Throws OptionError where they do not
/// go together.
void fill_model_axes(const std::string& owner, ModelAxes& axes);

/// A cell's axes: the mechanism's options resolved for a model that reads up to `longest` tokens,
/// and the experiment's own as written; an option of an axis's name is the model's to say (layers).
/// Unset axes are left out.
json cell_axes(const json& own, const ModelAxes& axes, const json& options, int64_t longest);

/// The context times 1, 2, 4, ... as far as `factor` goes: what a model is scored at.
std::vector<int64_t> doubled(int64_t context, int64_t factor);

/// The mechanism as a layer of the model has it.
std::shared_ptr<Mechanism> mechanism_of(const ModelAxes& axes, const json& options);

/// Why the mechanism cannot be in a causal model with these axes; empty where it can.
std::string model_refusal(const ModelAxes& axes, const json& options, const std::string& purpose);

/// The mechanism of one layer, as match_state_bytes counts its state.
StateUse state_use_of(const ModelAxes& axes, const json& options);

TransformerOptions model_of(const ModelAxes& axes);
TrainingOptions training_of(const ModelAxes& axes);

/// Of training, and of scoring `scored_tokens` tokens in windows of each of these lengths.
Prediction predict_model(const ModelAxes& axes, const json& options, int64_t outputs,
                         int64_t scored_tokens, const std::vector<int64_t>& lengths);

}  // namespace lavo
