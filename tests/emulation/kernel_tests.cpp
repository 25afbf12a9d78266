// SPDX-License-Identifier: MIT
// kernel_tests lavo|causal_sum: exits with 77 where it needs a GPU and there is none.
#include "tests/emulation/kernel_tests.h"

#include <cstdio>

#ifdef LAVO_TEST_ON_GPU
#include <cuda_runtime_api.h>
#else
#include "lavo/kernels/cuda/host/emulation.h"
#endif

namespace lavo::cuda::test {

void set_order([[maybe_unused]] unsigned order) {
#ifndef LAVO_TEST_ON_GPU
  emulation::set_thread_order(order);
#endif
}

bool report(const std::string& name, const char* what, unsigned order, const std::string& wrong) {
  std::printf("%-60s %s, order %u: %s\n", name.c_str(), what, order,
              wrong.empty() ? "ok" : wrong.c_str());
  return wrong.empty();
}

}  // namespace lavo::cuda::test

int main(int argc, char** argv) {
#ifdef LAVO_TEST_ON_GPU
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess || devices == 0) {
    std::printf("skipped: no CUDA device (%s)\n", cudaGetErrorString(error));
    return 77;
  }
#endif
  const std::string which = argc == 2 ? argv[1] : "";
  if (which == "lavo") return lavo::cuda::test::test_lavo() ? 0 : 1;
  if (which == "causal_sum") return lavo::cuda::test::test_causal_sum() ? 0 : 1;
  std::fputs("usage: kernel_tests lavo|causal_sum\n", stderr);
  return 2;
}
