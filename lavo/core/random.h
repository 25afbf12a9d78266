// SPDX-License-Identifier: MIT
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>

namespace lavo {

/// splitmix64 (Steele, Lea and Flood 2014): one well mixed number for each input.
uint64_t mix(uint64_t x);

/// LibTorch's generator on the CPU, of which every bit of the seed counts. Its own constructor
/// takes the low 32 bits alone; seeds below 2^32 give the stream that it gives.
at::Generator make_generator(uint64_t seed);

}  // namespace lavo
