// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/addressed_memory.h"
#include "lavo/parts/key_value_cache.h"
#include "lavo/parts/running_mean.h"

namespace lavo {

/// What a stream of LAVO carries: the means of the memory and the keys of the window.
struct LavoState final : State {
  explicit LavoState(const Tensor& decay_R) : key_mean(decay_R), value_mean(decay_R) {}

  /// key_mean, value_mean and the weight behind both, or slot_key, slot_value, slot_normaliser and
  /// address_value; window_key, window_value, window_mask.
  Named named() const override;
  bool assign(const std::string& name, const Tensor& x) override;
  int64_t token_dim(const std::string& name) const override;
  void merge(const State& next) override;
  void detach() override;

  RunningMean key_mean, value_mean;
  std::unique_ptr<NamedState> addressed = new_addressed_state();
  KeyValueCache window;
};

}  // namespace lavo
