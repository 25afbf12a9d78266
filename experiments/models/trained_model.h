// SPDX-License-Identifier: MIT
// Trained models are artefacts: found by the hash of what trained them, or trained and kept.
#pragma once

#include "experiments/data/corpus.h"
#include "experiments/models/checkpoint.h"
#include "experiments/models/trainer.h"

namespace lavo {

struct Recipe {
  json identity;  ///< everything that the weights depend on: axes, spec version, corpus digest
  TransformerOptions model;
  json mechanism_options;
  TrainingOptions training;
  int64_t bpe_vocabulary = 0;  ///< 0: bytes
  torch::Device device = torch::kCPU;

  std::string id() const;  ///< 16 hexadecimal digits of the identity's SHA-256
};

/// Where a run keeps the model: RUN/models/ID.
std::filesystem::path model_folder(const Recipe& recipe, const std::filesystem::path& run);

/// The model of a recipe, trained first if the run has none. Two processes may train the same one
/// at the same time: each writes a folder of its own and renames it; the first one stays. Training
/// goes on from RUN/models/ID.resume.safetensors where a process was stopped; TensorBoard reads
/// RUN/tensorboard.
Checkpoint obtain_model(const Recipe& recipe, const Corpus& corpus,
                        const std::filesystem::path& run,
                        const std::function<void(const std::string&)>& progress);

}  // namespace lavo
