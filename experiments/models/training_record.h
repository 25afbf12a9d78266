// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/trained_model.h"

namespace lavo {

/// What a record says of a model's training: parameters, time, tokens a second, and the loss over
/// steps in bits, averaged into at most 100 points.
void add_training(Outcome& outcome, const Recipe& recipe, const Checkpoint& checkpoint,
                  const std::filesystem::path& run, const std::string& loss_unit);

}  // namespace lavo
