// SPDX-License-Identifier: MIT
// kernel_tests CASE: exits with 77 where it needs a GPU and there is none.
#include <cstdio>

#include "tests/emulation/kernel_case.h"

#ifdef LAVO_TEST_ON_GPU
#include <cuda_runtime_api.h>
#endif

namespace lavo::cuda::test {
namespace {

bool passes(KernelCase& tested) {
  bool good = tested.values();
  set_order(0);
  const std::vector<double> expected = tested.bits();
  set_order(9);
  good &= report(tested.name(), "same bits as in order 0", 9,
                 expected.empty()            ? "nothing was computed"
                 : tested.bits() == expected ? ""
                                             : "they differ");
  return good;
}

}  // namespace
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
  for (lavo::cuda::test::KernelCase* tested : lavo::cuda::test::cases())
    if (tested->name() == which) return lavo::cuda::test::passes(*tested) ? 0 : 1;
  std::fprintf(stderr, "no case '%s'; cases:", which.c_str());
  for (lavo::cuda::test::KernelCase* tested : lavo::cuda::test::cases())
    std::fprintf(stderr, " %s", tested->name().c_str());
  std::fputs("\n", stderr);
  return 2;
}
