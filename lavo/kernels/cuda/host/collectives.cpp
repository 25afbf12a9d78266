// SPDX-License-Identifier: MIT
// What the lanes of a warp do together, and copies that arrive when they are waited for.
#include <algorithm>
#include <cstdint>

#include "lavo/kernels/cuda/host/fibers.h"

namespace emulation {
namespace {

float to_float(unsigned pair, int which, Half format) {
  const auto bits = static_cast<unsigned short>(which == 0 ? pair : pair >> 16);
  if (format == Half::kFloat16) {
    __half_raw raw;
    raw.x = bits;
    return __half2float(__half(raw));
  }
  const unsigned wide = static_cast<unsigned>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

}  // namespace

void require_aligned(const void* address, std::size_t bytes) {
  if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0) fail("a misaligned address");
}

unsigned exchange(unsigned value, int source) {
  Warp& warp = current_warp();
  warp.slot[lane()] = value;
  meet("a shuffle");
  const unsigned result = warp.slot[source & 31];
  meet("a shuffle");
  return result;
}

// d (16 x 8) += a (16 x 16) b (16 x 8), laid out over the lanes as the PTX manual says.
void mma_m16n8k16(float* d, const unsigned* a, const unsigned* b, Half format) {
  struct Operands {
    const unsigned *a, *b;
  } mine{a, b};
  Warp& warp = current_warp();
  warp.pointer[lane()] = &mine;
  meet("mma.sync");
  auto of_lane = [&](int l) { return static_cast<const Operands*>(warp.pointer[l]); };
  for (int e = 0; e < 4; ++e) {
    const int row = lane() / 4 + 8 * (e / 2), column = lane() % 4 * 2 + e % 2;
    for (int k = 0; k < 16; ++k) {
      const unsigned left = of_lane(row % 8 * 4 + k % 8 / 2)->a[row / 8 + k / 8 * 2];
      const unsigned right = of_lane(column * 4 + k % 8 / 2)->b[k / 8];
      d[e] += to_float(left, k % 2, format) * to_float(right, k % 2, format);
    }
  }
  meet("mma.sync");
}

// Four 8 x 8 matrices of 16-bit elements; lanes 8 m to 8 m + 7 give the rows of matrix m.
void load_matrices(unsigned* result, const void* row, bool transposed) {
  require_aligned(row, 16);
  announce(row, 16, false);
  Warp& warp = current_warp();
  warp.pointer[lane()] = row;
  meet("ldmatrix");
  for (int matrix = 0; matrix < 4; ++matrix) {
    unsigned short element[2];
    for (int j = 0; j < 2; ++j) {
      const int along = lane() % 4 * 2 + j, across = lane() / 4;
      const int from_row = transposed ? along : across, column = transposed ? across : along;
      std::memcpy(&element[j],
                  static_cast<const unsigned short*>(warp.pointer[8 * matrix + from_row]) + column,
                  sizeof(unsigned short));
    }
    result[matrix] = element[0] | static_cast<unsigned>(element[1]) << 16;
  }
  meet("ldmatrix");
}

void copy_async(void* to, const void* from, bool valid) {
  require_aligned(to, 16);
  require_aligned(from, 16);
  announce(to, 16, true);
  if (valid) announce(from, 16, false);
  current().copies.push_back({to, from, valid, current().group});
}

void commit_copies() { ++current().group; }

void wait_for_copies(int pending_groups) {
  auto& copies = current().copies;
  if (is_planted(Fault::kEarlyWait, current().met.waits)) ++pending_groups;
  const int before = current().group - pending_groups;
  const auto arrives = [&](const Copy& copy) { return copy.group < before; };
  for (const Copy& copy : copies) {
    if (!arrives(copy)) continue;
    announce(copy.to, 16, true);
    if (copy.valid)
      std::memcpy(copy.to, copy.from, 16);
    else
      std::memset(copy.to, 0, 16);
  }
  copies.erase(std::remove_if(copies.begin(), copies.end(), arrives), copies.end());
}

}  // namespace emulation
