// SPDX-License-Identifier: MIT
#include "experiments/mechanism_axes.h"

#include <ATen/Parallel.h>

namespace lavo {

std::string refused_pattern(const Mechanism& mechanism, Pattern pattern) {
  const Patterns patterns = mechanism.patterns();
  if (patterns.include(pattern)) return "";
  return fmt::format("{} attention is refused: {}", pattern_text(pattern),
                     patterns.refusal[static_cast<size_t>(pattern)]);
}

int64_t default_threads() {
  static const int64_t threads = at::get_num_threads();
  return threads;
}

void move_parameters(Mechanism& mechanism, uint64_t seed) {
  torch::NoGradGuard no_grad;
  auto generator = make_generator(seed);
  for (Tensor& x : mechanism.parameters()) {
    x.add_(torch::randn(x.sizes(), generator, torch::kFloat64).mul_(0.1).to(x.options()));
  }
}

}  // namespace lavo
