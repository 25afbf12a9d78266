// SPDX-License-Identifier: MIT
// LAVO's kernels: every instance's path through the code, and what its launch asks of a GPU.
#if defined(__CUDACC__) || defined(LAVO_PLANTED_BUGS)
#include "lavo/kernels/cuda/lavo/launch.cuh"
#endif

#ifdef __CUDACC__  // the instances that must not spill
using Shared = lavo::cuda::Instance<__nv_bfloat16, lavo::cuda::Memory::kShared, 64, 64>;
template decltype(lavo::cuda::lavo_forward) lavo::cuda::launch_forward<Shared>;
template decltype(lavo::cuda::lavo_backward) lavo::cuda::launch_backward<Shared>;
#else

#include <algorithm>

#include "lavo/kernels/cuda/lavo/plan.h"
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
      good &= check({.shape = shape(element, memory, 140, 32, 32, 16), .tokens_only = true}, 5);
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

// Shared memory that a block may have (CUDA C++ programming guide, technical specifications).
constexpr DeviceLimits kA100{80, 163 * 1024}, kA10{86, 99 * 1024}, kL4{89, 99 * 1024},
    kH100{90, 227 * 1024}, kB200{100, 227 * 1024}, kRtx50{120, 99 * 1024};

bool expect(const char* what, bool holds) {
  return report("limits", what, 0, holds ? "" : "does not hold");
}

/// What a block needs, by hand: rows of d or r elements and 8 of padding (float32: 4), tiles of 64.
/// q, k, v, g; one or two sets of bases; staged rows; probabilities and their gradients; then
/// floats: 4 + 2 rows of means, 3 sides rows, 2 windows; 65 counts.
int64_t bytes_by_hand(const LavoShape& s, int sides) {
  const int64_t size = s.element == kFloat32 ? 4 : 2, pad = 16 / size;
  const int64_t d = s.width + pad, r = s.bases + pad, span = std::max(s.window, 16) + pad;
  const int64_t means = (s.memory == kKeyValue ? 2 : 1) * s.bases,
                sets = s.memory == kContext ? 2 : 1;
  const auto whole = [](int64_t bytes) { return (bytes + 15) / 16 * 16; };
  const int64_t memory =
      s.memory == kNone ? 0 : size * (sets * s.bases * d + 64 * r) + 4 * (4 + 2) * means;
  return size * (4 * 64 * d + 2 * 64 * span) + memory + 4 * 3 * sides * 64 + whole(8 * s.window) +
         whole(4 * 65);
}

/// Every instance at every window: those that no GPU can launch are refused before they are.
bool limits() {
  int instances = 0;
  bool good = true, small = true, all_old = true;
  for (const Element element : {kBfloat16, kFloat16, kFloat32})
    for (const Memory memory : {kNone, kShared, kKeyValue, kContext})
      for (const int width : {32, 64, 128})
        for (const int bases : {32, 64, 128}) {
          const LavoShape one = shape(element, memory, 64, width, bases, 16);
          if (memory == kNone ? bases != 64 : padded_bases(element, width, bases) != bases)
            continue;
          ++instances;
          for (int window = 1; window <= 64; window *= 2) {
            LavoShape s = one;
            s.window = window;
            const int64_t bytes = lavo_shared_bytes(s);
            const bool two_sides =
                memory != kNone && (width > 64 || bases * (memory == kShared ? 1 : 2) > 64);
            good &= bytes == bytes_by_hand(s, two_sides ? 2 : 1);
            all_old &= why_not(s, {75, 1 << 20}) != nullptr;
            if (element != kFloat32 && width < 128 && (memory != kContext || bases < 128))
              for (const DeviceLimits& device : {kA100, kA10, kL4, kH100, kB200, kRtx50})
                small &= why_not(s, device) == nullptr;
          }
        }
  good = expect("shared memory of every instance is what was counted by hand", good);
  good &= expect("there are 63 instances", instances == 63);
  good &= expect("16 bits and widths up to 64 fit into every GPU", small);
  good &= expect("nothing runs before compute capability 8.0", all_old);
  const auto fits = [](Element element, Memory memory, int width, int bases, int window,
                       const DeviceLimits& device) {
    return why_not(shape(element, memory, 64, width, bases, window), device) == nullptr;
  };
  for (const int window : {16, 64}) {
    good &= expect("float32 of width 128 with context fits into no GPU",
                   !fits(kFloat32, kContext, 128, 64, window, kH100));
    good &= expect("float32 of width 128 fits into an H100 and not into an A100",
                   fits(kFloat32, kShared, 128, 64, window, kH100) &&
                       !fits(kFloat32, kShared, 128, 64, window, kA100));
    good &= expect("width 128 fits into an A100 and not into an A10",
                   fits(kBfloat16, kShared, 128, 64, window, kA100) &&
                       !fits(kBfloat16, kShared, 128, 64, window, kA10));
  }
  return good;
}

class LavoCase final : public KernelCase {
 public:
  LavoCase() : KernelCase("lavo") {}
  bool values() override { return lavo_values() && limits(); }
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
