// SPDX-License-Identifier: MIT
#include "tests/emulation/lavo_problem.h"

#include <cmath>
#include <random>

namespace lavo::cuda::test {

void LavoProblem::fill(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  const auto make = [&](int64_t count, double mean, double deviation, Element element) {
    Vector values(static_cast<std::size_t>(count));
    for (double& value : values) value = rounded(mean + deviation * normal(random), element);
    return values;
  };
  const LavoShape& s = shape;
  const int64_t heads = static_cast<int64_t>(s.batch) * s.heads, tokens = heads * s.length;
  const int64_t bases = (own_bases ? s.heads : 1) * static_cast<int64_t>(s.bases) * s.width;
  const double spread = 1 / std::sqrt(s.width);
  q = make(tokens * s.width, 0, 1, s.element);
  k = make(tokens * s.width, s.memory == Memory::kKeyValue ? 1.0 : 0.0, 1, s.element);
  v = make(tokens * s.width, 1.5, 1, s.element);
  y = make(s.batch * s.length * s.bases, 1.5, 1, s.element);
  key_bases = make(bases, 0, spread, s.element);
  value_bases = make(bases, 0, spread, s.element);
  bias = make(s.heads * (2 * s.window - 1), 0, 0.3, Element::kFloat32);
  weights = weighted ? make(s.heads * 2, 1, 0.3, Element::kFloat32)
                     : Vector(static_cast<std::size_t>(s.heads) * 2, 0.5);
  output_gradient = make(tokens * s.width, 0.2, 1, s.element);
  std::bernoulli_distribution hidden(0.3);
  real.assign(static_cast<std::size_t>(s.batch * s.length), true);
  if (padded)
    for (std::size_t i = 0; i < real.size(); ++i) real[i] = i % 50 > 20 && !hidden(random);
}

std::string LavoProblem::name() const {
  static const char* const elements[] = {"bf16", "fp16", "fp32"};
  static const char* const memories[] = {"none", "shared", "key_value", "context"};
  const LavoShape& s = shape;
  std::string text = std::string(elements[static_cast<int>(s.element)]) + ' ' +
                     memories[static_cast<int>(s.memory)] + " d=" + std::to_string(s.width) +
                     " r=" + std::to_string(s.bases) + " w=" + std::to_string(s.window) +
                     " n=" + std::to_string(s.length);
  if (!s.causal) text += " noncausal";
  if (!s.window_part) text += " memory only";
  if (heads_inside) text += " bnhd";
  if (padded) text += " padded";
  if (own_bases) text += " own bases";
  if (weighted) text += " weighted";
  if (tokens_only) text += " gradients of tokens";
  return text;
}

}  // namespace lavo::cuda::test
