// SPDX-License-Identifier: MIT
// Inside of the emulation: threads, warps and blocks, and what sanitizers are told of them.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lavo/kernels/cuda/host/emulation.h"

namespace emulation {

/// Two addresses in turn: with one, a thread that is a generation ahead would hide a race.
struct Barrier {
  unsigned generation = 0;
  int arrived = 0;
  char synchronised[2] = {};
};

struct Warp {
  Barrier barrier;
  unsigned slot[32];
  const void* pointer[32];
};

struct Copy {
  void* to;
  const void* from;
  bool valid;
  int group;
};

struct Block;

struct Fiber {
  Block* block = nullptr;
  int index = 0;
  uint3 thread{};
  bool done = false;
  const char* place = "its start";
  std::vector<Copy> copies;
  int group = 0;
  Met met;
  void* stack_pointer = nullptr;
  void* sanitizer = nullptr;
};

struct FreeMemory {
  void operator()(unsigned char* memory) const;
};

struct Block {
  uint3 index{};
  dim3 size, grid;
  int alive = 0;
  Barrier barrier;
  std::vector<Warp> warps;
  std::vector<Fiber> fibers;
  std::unique_ptr<unsigned char, FreeMemory> shared;  ///< its exact size, for AddressSanitizer
  std::size_t shared_bytes = 0;
};

Fiber& current();
Warp& current_warp();
inline int lane() { return current().index % 32; }

/// All lanes come here before one goes on. It orders no memory: shuffles and matrix instructions do
/// not, so a missing __syncwarp is seen.
void meet(const char* place);
/// Whether this is the place of the planted fault; counts it.
bool is_planted(Fault::Kind kind, int& met);

/// Tells sanitizers of an access that the runtime makes for the kernel.
void announce(const void* memory, std::size_t bytes, bool write);
/// Ends the program with code 3.
[[noreturn]] void fail(const char* what);

}  // namespace emulation
