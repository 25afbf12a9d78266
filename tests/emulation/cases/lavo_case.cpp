// SPDX-License-Identifier: MIT
// LAVO's kernels: every instance's path through the code.
#if defined(__CUDACC__) || defined(LAVO_PLANTED_BUGS)
#include "lavo/kernels/cuda/lavo/launch.cuh"
#endif

#ifdef __CUDACC__  // the instances that must not spill
using Shared = lavo::cuda::Instance<__nv_bfloat16, lavo::cuda::Memory::kShared, 64, 64>;
template decltype(lavo::cuda::lavo_forward) lavo::cuda::launch_forward<Shared>;
template decltype(lavo::cuda::lavo_backward) lavo::cuda::launch_backward<Shared>;
#else

#include "tests/emulation/kernel_case.h"
#include "tests/emulation/lavo_run.h"

namespace lavo::cuda::test {
namespace {

using enum Memory;
using enum Element;

LavoShape shape(Element element, Memory memory, int64_t length, int width, int bases, int window) {
  LavoShape s;
  s.element = element, s.memory = memory, s.length = length;
  s.width = width, s.bases = bases, s.window = window;
  return s;
}

#ifdef LAVO_PLANTED_BUGS

template <class C>
Planted passes_of(int64_t length, int bases, int window) {
  LavoProblem p;
  p.shape = shape(kBfloat16, C::kMemory, length, C::kD, bases, window);
  p.fill(3);
  const auto passes = [p, wanted = solve(p)](Backward* backward) {
    const LavoRun got = run(p, launch_forward<C>, backward);
    return compare(p, got.answer, wanted, backward != nullptr);
  };
  return {p.name(), [=] { return passes(nullptr); }, [=] { return passes(launch_backward<C>); }};
}

Planted decode_steps() {
  LavoProblem p;
  p.shape = {.memory = kKeyValue, .length = 3, .width = 32, .bases = 32, .window = 2};
  p.fill(4);
  const auto step = [p, wanted = solve(p)] { return compare(p, decode(p).answer, wanted, false); };
  return {"decode", step, step};
}
class LavoCase final : public KernelCase {
 public:
  LavoCase() : KernelCase("lavo") {}
  std::vector<Planted> planted() override {
    using One = Instance<__nv_bfloat16, kShared, 32, 32>;
    using TwoWarpsARow = Instance<__nv_bfloat16, kKeyValue, 32, 64>;
    Planted two = passes_of<TwoWarpsARow>(130, 64, 32);
    two.only_right = true;
    return {passes_of<One>(66, 32, 16), decode_steps(), two};
  }
};

#else

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

bool lavo_values() {
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

class LavoCase final : public KernelCase {
 public:
  LavoCase() : KernelCase("lavo") {}
  bool values() override { return lavo_values(); }
  std::vector<double> bits() override {
    LavoProblem problem{shape(kBfloat16, kShared, 300, 32, 32, 16)};
    problem.fill(1);
    LavoRun got = run(problem, lavo_forward, lavo_backward);
    if (got.code != 0) return {};
    LavoAnswer& a = got.answer;
    for (const Vector* more : {&a.q, &a.k, &a.v, &a.key_bases, &a.bias, &a.weights})
      a.output.insert(a.output.end(), more->begin(), more->end());
    return a.output;
  }
};

#endif

LavoCase lavo_case;

}  // namespace
}  // namespace lavo::cuda::test
#endif
