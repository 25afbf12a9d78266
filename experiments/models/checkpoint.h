// SPDX-License-Identifier: MIT
// A trained model on disk: a folder with model.safetensors (parameters and buffers), model.json
// (what it is and how it was trained) and curve.csv (loss of every step).
#pragma once

#include <filesystem>

#include "experiments/data/tokenizer.h"
#include "experiments/models/transformer.h"
#include "lavo/core/safetensors.h"

namespace lavo {

/// Parameters and buffers by name, on the CPU.
NamedTensors module_tensors(const torch::nn::Module& module);

/// Fills every parameter and buffer. Throws InputError where one is missing or has another shape or
/// type; `source` begins the message. Names that begin with one of `others` may be there besides.
void load_module(torch::nn::Module& module, const NamedTensors& tensors, const std::string& source,
                 const std::vector<std::string>& others = {});

struct Checkpoint {
  std::shared_ptr<Transformer> model;  ///< on the CPU, in eval mode
  Tokenizer tokenizer;
  json mechanism_options;
  json training;  ///< what the trainer wrote: corpus, steps, seconds, ...
};

/// Writes into `folder`, which exists.
void save_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

/// `path`: the folder, or either file in it. Throws InputError.
Checkpoint load_checkpoint(const std::filesystem::path& path);

}  // namespace lavo
