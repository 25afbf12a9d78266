// SPDX-License-Identifier: MIT
#include "tests/emulation/kernel_case.h"

#include <cstdio>

#ifndef LAVO_TEST_ON_GPU
#include "lavo/kernels/cuda/host/emulation.h"
#endif

namespace lavo::cuda::test {

KernelCase::KernelCase(const char* name) : name_(name) { cases().push_back(this); }

std::vector<KernelCase*>& cases() {
  static std::vector<KernelCase*> all;
  return all;
}

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
