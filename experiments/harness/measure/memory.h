// SPDX-License-Identifier: MIT
// Exact memory of tensors: on the CPU by an allocator that counts, on CUDA by the caching
// allocator's statistics.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace lavo {

/// Puts the counting allocator in front of LibTorch's own for the rest of the process. Call it
/// before the first tensor is made; a second call does nothing.
void count_cpu_memory();

/// Asks LibTorch's allocator for huge pages (THP_MEM_ALLOC_ENABLE, unless the caller has set it),
/// for every mechanism alike: passes over long inputs translate many addresses. Call it before the
/// first tensor is made. Without effect where the kernel's transparent_hugepage/enabled is "never".
void ask_for_huge_pages();

/// An allocation on the CPU that would take the total above `bytes` throws c10::OutOfMemoryError;
/// 0 takes the limit away.
void limit_cpu_memory(int64_t bytes);

/// While it lives, what is freed on the CPU stays with the process, as CUDA's caching allocator
/// keeps it; then the system gets it back. Otherwise calls with large outputs time the system,
/// which clears new pages for each. Does nothing without glibc.
class KeptMemory {
 public:
  KeptMemory();
  ~KeptMemory();
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;
};

/// Bytes that live tensors hold on `device` now.
int64_t allocated_bytes(c10::Device device);

/// Allocation calls so far on `device`.
int64_t allocation_count(c10::Device device);

/// The most that was held at one time between construction and bytes(), above what was held at
/// construction. One at a time for each device.
class PeakMemory {
 public:
  explicit PeakMemory(c10::Device device);
  int64_t bytes() const;

 private:
  c10::Device device_;
  int64_t start_;
};

}  // namespace lavo
