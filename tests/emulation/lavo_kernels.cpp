// SPDX-License-Identifier: MIT
// LAVO's kernels against float64, every instance's code path, in several thread orders. The same
// program runs on a GPU when it is built with LAVO_TEST_ON_GPU; without one it says so and exits
// with 77.
#include <cstdio>

#include "tests/emulation/lavo_run.h"
#ifdef LAVO_TEST_ON_GPU
#include <cuda_runtime_api.h>
#else
#include "tests/emulation/emulation.h"
#endif

namespace lavo::cuda::test {
namespace {

using enum Memory;
using enum Element;

void set_order([[maybe_unused]] unsigned order) {
#ifndef LAVO_TEST_ON_GPU
  emulation::set_thread_order(order);
#endif
}

bool report(const LavoProblem& problem, const char* what, unsigned order, const LavoRun& got,
            bool gradients) {
  const std::string wrong = got.code == 0 ? compare(problem, got.answer, solve(problem), gradients)
                                          : "launch failed: " + std::to_string(got.code);
  std::printf("%-60s %s, order %u: %s\n", problem.name().c_str(), what, order,
              wrong.empty() ? "ok" : wrong.c_str());
  return wrong.empty();
}

bool check(LavoProblem problem, unsigned order) {
  problem.fill(order + 5);
  set_order(order);
  return report(problem, "both passes", order, run(problem, lavo_forward, lavo_backward), true);
}

bool check_decode(LavoProblem problem, unsigned order) {
  problem.fill(order + 5);
  set_order(order);
  return report(problem, "decode", order, decode(problem), false);
}

LavoShape shape(Element element, Memory memory, int64_t length, int width, int bases, int window) {
  LavoShape s;
  s.element = element, s.memory = memory, s.length = length;
  s.width = width, s.bases = bases, s.window = window;
  return s;
}

int run_all() {
  bool good = true;
  for (const unsigned order : {0u, 1u, 7u})
    good &= check({shape(kBfloat16, kShared, 300, 64, 64, 16)}, order);
  for (const Element element : {kBfloat16, kFloat16, kFloat32})
    for (const Memory memory : {kNone, kShared, kKeyValue, kContext}) {
      const int width = element == kBfloat16 ? 64 : 32;
      good &=
          check({.shape = shape(element, memory, 140, width, width, 32), .heads_inside = true}, 3);
      good &= check({.shape = shape(element, memory, 70, 32, 24, 8), .padded = true}, 4);
      LavoProblem stream{shape(element, memory, 37, 40, 24, 16)};
      stream.shape.heads = 2;
      stream.own_bases = stream.weighted = stream.heads_inside = true;
      good &= check_decode(stream, 2);
    }
  LavoProblem batch{shape(kBfloat16, kShared, 65, 32, 32, 16)};
  batch.shape.batch = 2, batch.shape.heads = 3;
  batch.own_bases = batch.weighted = batch.heads_inside = true;
  good &= check(batch, 1);
  for (const Memory memory : {kShared, kKeyValue, kContext}) {
    LavoProblem wide{shape(kBfloat16, memory, 65, 128, 128, 64)};
    good &= check(wide, 2);
    LavoProblem all{shape(kBfloat16, memory, 130, 32, 32, 16)};
    all.shape.causal = false;
    all.padded = true;
    good &= check(all, 5);
    all.shape.window_part = false;
    good &= check(all, 6);
  }
  for (const int64_t length : {1, 2, 7, 63, 64})
    good &= check({shape(kBfloat16, kShared, length, 32, 32, 4)}, 1);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace lavo::cuda::test

int main() {
#ifdef LAVO_TEST_ON_GPU
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess || devices == 0) {
    std::printf("skipped: no CUDA device (%s)\n", cudaGetErrorString(error));
    return 77;
  }
#endif
  return lavo::cuda::test::run_all();
}
