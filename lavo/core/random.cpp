// SPDX-License-Identifier: MIT
#include "lavo/core/random.h"

#include <ATen/CPUGeneratorImpl.h>

namespace lavo {

uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

at::Generator make_generator(uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  if (seed >> 32 == 0) return generator;
  // The engine's whole state from the seed: words of splitmix64's own stream.
  at::mt19937_data_pod state{.seed_ = seed, .left_ = 1, .seeded_ = true, .next_ = 0, .state_ = {}};
  for (uint32_t& word : state.state_) {
    word = static_cast<uint32_t>(mix(seed) >> 32);
    seed += 0x9e3779b97f4a7c15;
  }
  at::mt19937 engine;
  engine.set_data(state);
  at::check_generator<at::CPUGeneratorImpl>(generator)->set_engine(engine);
  return generator;
}

}  // namespace lavo
