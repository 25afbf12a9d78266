// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/parts/key_value_cache.h"
#include "lavo/parts/running_mean.h"

namespace lavo {

/// What a stream of LAVO carries: the means of the memory and the keys of the window.
struct LavoState final : State {
  explicit LavoState(const Tensor& decay_R) : key_mean(decay_R), value_mean(decay_R) {}
  std::vector<Tensor> tensors() const override {
    std::vector<Tensor> held = key_mean.tensors();
    for (const auto& more : {value_mean.tensors(), window.tensors()}) {
      held.insert(held.end(), more.begin(), more.end());
    }
    return held;
  }
  RunningMean key_mean, value_mean;
  KeyValueCache window;
};

}  // namespace lavo
