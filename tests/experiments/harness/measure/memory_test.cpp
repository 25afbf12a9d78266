// SPDX-License-Identifier: MIT
#include "experiments/harness/measure/memory.h"

#include <torch/types.h>

#include "tests/support/catch.h"

using namespace lavo;
using torch::Tensor;

TEST_CASE("the peak of a call is exact to the byte, above what was held before") {
  count_cpu_memory();
  const Tensor held = torch::ones({1000}, torch::kFloat64);
  const int64_t before = allocated_bytes(torch::kCPU), calls = allocation_count(torch::kCPU);
  const PeakMemory peak(torch::kCPU);
  CHECK(peak.bytes() == 0);
  {
    const Tensor a = torch::empty({3, 7}, torch::kFloat32);
    { const Tensor b = torch::empty({11}, torch::kFloat64); }
    const Tensor c = torch::empty({5}, torch::kInt8);
    CHECK(allocated_bytes(torch::kCPU) == before + 3 * 7 * 4 + 5);
  }
  CHECK(peak.bytes() == 3 * 7 * 4 + 11 * 8);
  CHECK(allocated_bytes(torch::kCPU) == before);
  CHECK(allocation_count(torch::kCPU) == calls + 3);
}

TEST_CASE("an allocation beyond the limit throws and leaves nothing behind") {
  count_cpu_memory();
  const int64_t before = allocated_bytes(torch::kCPU);
  limit_cpu_memory(before + 1000);
  CHECK_THROWS_AS(torch::empty({1001}, torch::kInt8), c10::OutOfMemoryError);
  CHECK(torch::empty({1000}, torch::kInt8).numel() == 1000);
  limit_cpu_memory(0);
  CHECK(torch::empty({1001}, torch::kInt8).numel() == 1001);
  CHECK(allocated_bytes(torch::kCPU) == before);
}
