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

/// Throws InputError unless there is a tensor of this name with the shape and type of `like`;
/// `source` begins the message.
const Tensor& require_tensor(const NamedTensors& tensors, const std::string& name,
                             const Tensor& like, const std::string& source);

/// Throws InputError where a parameter or buffer is missing or has another shape or type, and where
/// a name is none of the module's. Names that begin with one of `others` may be there besides.
void check_module(const torch::nn::Module& module, const NamedTensors& tensors,
                  const std::string& source, const std::vector<std::string>& others = {});

/// Fills every parameter and buffer, after check_module: all of them or none.
void load_module(torch::nn::Module& module, const NamedTensors& tensors, const std::string& source,
                 const std::vector<std::string>& others = {});

struct Checkpoint {
  std::shared_ptr<Transformer> model;  ///< on the CPU, in eval mode
  std::optional<Tokenizer> tokenizer;  ///< of models of text
  json mechanism_options;
  json training;  ///< what the trainer wrote: data, steps, seconds, ...
};

/// Writes into `folder`, which exists.
void save_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

/// `path`: the folder, or either file in it. Throws InputError, also where the weights are not
/// those that were written with the description.
Checkpoint load_checkpoint(const std::filesystem::path& path);

/// Renames a file or folder that cannot be used, and returns a line that says so and why. What was
/// put aside before under the same name is replaced.
std::string put_aside(const std::filesystem::path& path, const std::string& reason);

}  // namespace lavo
