// SPDX-License-Identifier: MIT
// Trained models are artefacts: found by the hash of what trained them, or trained and kept.
#pragma once

#include "experiments/models/checkpoint.h"
#include "experiments/models/trainer.h"

namespace lavo {

struct Recipe {
  json identity;  ///< everything that the weights depend on: axes, spec version, the data's digest
  std::string data;          ///< the data's name, for the checkpoint
  TransformerOptions model;  ///< its vocabulary is the tokenizer's where there is one
  json mechanism_options;
  TrainingOptions training;
  torch::Device device = torch::kCPU;

  std::string id() const;  ///< 16 hexadecimal digits of the identity's SHA-256
};

/// Where a run keeps the model: RUN/models/ID.
std::filesystem::path model_folder(const Recipe& recipe, const std::filesystem::path& run);

/// The task that an untrained model learns; a task on text makes the tokenizer first.
using Prepare = std::function<std::unique_ptr<Task>(std::optional<Tokenizer>&)>;

/// The model of a recipe, trained first if the run has none. Two processes may train the same one
/// at the same time: each writes a folder of its own and renames it; the first one stays. Training
/// goes on from RUN/models/ID.resume.safetensors where a process was stopped; TensorBoard reads
/// RUN/tensorboard. A folder that does not hold the recipe's model, whole, is put aside with a line
/// to `progress`, and the model is trained again.
Checkpoint obtain_model(const Recipe& recipe, const Prepare& prepare,
                        const std::filesystem::path& run, const Progress& progress);

}  // namespace lavo
