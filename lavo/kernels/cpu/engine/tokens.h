// SPDX-License-Identifier: MIT
#pragma once

#include <stdint.h>

namespace lavo::cpu {

/// How tokens are stored. Everything else is in the compute type: double for float64, else float.
enum class Storage { kFloat64, kFloat32, kBFloat16, kFloat16 };

/// [batch, heads, tokens, width]: the numbers of a token side by side, strides in numbers.
struct Tokens {
  void* data = nullptr;
  int64_t batch = 0, head = 0, token = 0;
};

}  // namespace lavo::cpu
