// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "experiments/data/tokenizer.h"
#include "experiments/models/model.h"

namespace lavo {

struct SamplingOptions {
  int64_t tokens = 200;
  double temperature = 0.8;  ///< below 1e-6: always the likeliest token
  uint64_t seed = 0;
};

/// What the model writes after `prompt` (after a newline where it is empty); streamed where the
/// mechanism has a state. The same text for a seed.
std::string continue_text(Model& model, const Tokenizer& tokenizer, std::string_view prompt,
                          const SamplingOptions& options);

}  // namespace lavo
