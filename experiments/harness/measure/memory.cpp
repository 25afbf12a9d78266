// SPDX-License-Identifier: MIT
#include "experiments/harness/measure/memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#ifdef LAVO_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace lavo {
namespace {

std::atomic<int64_t> held{0}, peak{0}, calls{0}, limit{std::numeric_limits<int64_t>::max()};

/// The size stands in front of the data: the pointer handed out stays aligned to 64 bytes.
constexpr size_t kHeader = 64;

void release(void* data) {
  if (!data) return;
  char* start = static_cast<char*>(data) - kHeader;
  int64_t bytes = 0;
  std::memcpy(&bytes, start, sizeof bytes);
  held -= bytes;
  c10::free_cpu(start);
}

class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    if (size == 0) return {nullptr, nullptr, &release, at::Device(at::kCPU)};
    const auto bytes = static_cast<int64_t>(size);
    const int64_t now = held += bytes;
    if (now > limit) {
      held -= bytes;
      TORCH_CHECK_WITH(OutOfMemoryError, false, "an allocation of ", size,
                       " bytes would pass the limit of ", limit.load(), " bytes (", now - bytes,
                       " held)");
    }
    char* start = nullptr;
    try {
      start = static_cast<char*>(c10::alloc_cpu(size + kHeader));
    } catch (const c10::Error&) {
      held -= bytes;
      TORCH_CHECK_WITH(OutOfMemoryError, false, "the system refused ", size, " bytes");
    }
    std::memcpy(start, &bytes, sizeof bytes);
    int64_t seen = peak;
    while (now > seen && !peak.compare_exchange_weak(seen, now)) {
    }
    ++calls;
    return {start + kHeader, start + kHeader, &release, at::Device(at::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t count) const override {
    std::memcpy(to, from, count);
  }
};

#ifdef LAVO_CUDA
auto cuda_statistics(c10::Device device) {
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto all = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index());
  return std::pair(all.allocated_bytes[kAll], all.allocation[kAll].allocated);
}
#endif

}  // namespace

void count_cpu_memory() {
  static CountingAllocator allocator;
  c10::SetCPUAllocator(&allocator, /*priority=*/1);
}

void ask_for_huge_pages() { ::setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0); }

void limit_cpu_memory(int64_t bytes) {
  limit = bytes > 0 ? bytes : std::numeric_limits<int64_t>::max();
}

#ifdef __GLIBC__
KeptMemory::KeptMemory() {
  mallopt(M_MMAP_MAX, 0);         // a block that is mapped by itself is unmapped when it is freed
  mallopt(M_TRIM_THRESHOLD, -1);  // never
}
KeptMemory::~KeptMemory() {
  mallopt(M_MMAP_MAX, 65536);  // glibc's defaults
  mallopt(M_TRIM_THRESHOLD, 128 << 10);
  malloc_trim(0);
}
#else
KeptMemory::KeptMemory() = default;
KeptMemory::~KeptMemory() = default;
#endif

int64_t allocated_bytes([[maybe_unused]] c10::Device device) {
#ifdef LAVO_CUDA
  if (device.is_cuda()) return cuda_statistics(device).first.current;
#endif
  return held;
}

int64_t allocation_count([[maybe_unused]] c10::Device device) {
#ifdef LAVO_CUDA
  if (device.is_cuda()) return cuda_statistics(device).second;
#endif
  return calls;
}

PeakMemory::PeakMemory(c10::Device device) : device_(device), start_(allocated_bytes(device)) {
#ifdef LAVO_CUDA
  if (device.is_cuda()) {
    c10::cuda::CUDACachingAllocator::resetPeakStats(device.index());
    return;
  }
#endif
  peak = held.load();
}

int64_t PeakMemory::bytes() const {
#ifdef LAVO_CUDA
  if (device_.is_cuda()) return cuda_statistics(device_).first.peak - start_;
#endif
  return peak - start_;
}

}  // namespace lavo
