// SPDX-License-Identifier: MIT
// LAVO's kernels: every instance's path through the code.
#include "tests/emulation/kernel_tests.h"
#include "tests/emulation/lavo_run.h"

namespace lavo::cuda::test {
namespace {

using enum Memory;
using enum Element;

std::string verdict(const LavoProblem& problem, const LavoRun& got, bool gradients) {
  if (got.code != 0) return "launch failed: " + std::to_string(got.code);
  return compare(problem, got.answer, solve(problem), gradients);
}

bool check(LavoProblem problem, unsigned order) {
  problem.fill(order + 5);
  set_order(order);
  const LavoRun got = run(problem, lavo_forward, lavo_backward);
  return report(problem.name(), "both passes", order, verdict(problem, got, true));
}

bool check_decode(LavoProblem problem, unsigned order) {
  problem.fill(order + 5);
  set_order(order);
  return report(problem.name(), "decode", order, verdict(problem, decode(problem), false));
}

/// The order of threads decides on no bit of what is summed over a head.
bool check_bits(LavoProblem problem) {
  problem.fill(1);
  set_order(0);
  const LavoAnswer a = run(problem, lavo_forward, lavo_backward).answer;
  set_order(9);
  const LavoAnswer b = run(problem, lavo_forward, lavo_backward).answer;
  const bool same = a.output == b.output && a.key_bases == b.key_bases && a.bias == b.bias &&
                    a.weights == b.weights;
  return report(problem.name(), "same bits as in order 0", 9, same ? "" : "they differ");
}

LavoShape shape(Element element, Memory memory, int64_t length, int width, int bases, int window) {
  LavoShape s;
  s.element = element, s.memory = memory, s.length = length;
  s.width = width, s.bases = bases, s.window = window;
  return s;
}

}  // namespace

bool test_lavo() {
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
  for (const Element element : {kBfloat16, kFloat16})  // many chunks
    good &= check({shape(element, kShared, 2000, 32, 32, 16)}, 3);
  good &= check_bits({shape(kBfloat16, kShared, 300, 32, 32, 16)});
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
  return good;
}

}  // namespace lavo::cuda::test
