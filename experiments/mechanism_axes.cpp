// SPDX-License-Identifier: MIT
#include "experiments/mechanism_axes.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace lavo {

json resolve_options(const Entry& entry, json given, const Setting& setting) {
  const bool has_limit =
      std::ranges::find(entry.options, "max_length", &OptionInfo::name) != entry.options.end();
  if (has_limit && given.value("max_length", json()).is_null()) {
    given["max_length"] = std::max(setting.query_length, setting.key_length);
  }
  return entry.resolve(given, setting);
}

std::string refused_pattern(const Entry& entry, bool causal, bool cross) {
  const auto index = static_cast<size_t>((cross ? 2 : 0) + (causal ? 1 : 0));
  const std::string& reason = entry.patterns.refusal[index];
  if (reason.empty()) return "";
  return fmt::format("{} attention is refused: {}", pattern_text(static_cast<Pattern>(index)),
                     reason);
}

int64_t default_threads() {
  static const int64_t threads = at::get_num_threads();
  return threads;
}

void move_parameters(Mechanism& mechanism, uint64_t seed) {
  torch::NoGradGuard no_grad;
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  for (Tensor& x : mechanism.parameters()) {
    x.add_(torch::randn(x.sizes(), generator, torch::kFloat64).mul_(0.1).to(x.options()));
  }
}

}  // namespace lavo
