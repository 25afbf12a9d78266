// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/safetensors.h"

namespace lavo {

struct OptimizerOptions {
  double weight_decay =
      0.1;          ///< of the projections' and embeddings' weights; no bias, norm, memory
  double clip = 1;  ///< largest norm of all gradients together; 0 = no limit
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  bool decays_all = false;  ///< biases, norms and memory, too
};

/// AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) by LibTorch's fused kernel, after clipping
/// the gradients' common norm. Nothing is read back from the device.
class AdamW {
 public:
  AdamW(torch::nn::Module& module, const OptimizerOptions& options);

  /// One step; parameters without a gradient stay. Gradients are dropped afterwards.
  void step(double learning_rate);

  /// Moments and step counts by the parameters' names, for a checkpoint.
  void save(NamedTensors& to) const;
  void load(const NamedTensors& from);

 private:
  struct Slot {
    std::string name;
    Tensor parameter, mean, square, steps;
    bool decays;
  };
  OptimizerOptions options_;
  std::vector<Slot> slots_;
};

/// Linear from 0 over `warmup` steps, then a cosine down to 5 % of `peak` at the last step.
double scheduled_rate(double peak, int64_t step, int64_t warmup, int64_t steps);

}  // namespace lavo
