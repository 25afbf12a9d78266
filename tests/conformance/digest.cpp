// SPDX-License-Identifier: MIT
// Not a test but a fingerprint, run by asking for it: two builds that print the same lines compute
// the same bits (tests/stress/mutate.py).
#include <cstdio>

#include "lavo/core/sha256.h"
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

void add_bits(Sha256& digest, const Tensor& x) {
  if (!x.defined()) return;
  const Tensor flat = x.detach().contiguous();
  digest.update({static_cast<const char*>(flat.const_data_ptr()), flat.nbytes()});
}

/// Outputs in whole and in pieces, and the gradients of all inputs.
std::string bits_of(Mechanism& mechanism, const Inputs& given) {
  Sha256 digest;
  Inputs in = given.leaves();
  const Tensor out = mechanism.forward(in);
  out.square().sum().backward();
  add_bits(digest, out);
  in.each([&](Tensor& x) { add_bits(digest, x.grad()); });
  const auto state = given.pattern() == Pattern::kCausalSelf ? state_of(mechanism) : nullptr;
  const int64_t T = given.query.size(2);
  for (int64_t t = 0; state && t < T; t += 9) {
    add_bits(digest, mechanism.forward(given.narrow(t, std::min<int64_t>(9, T - t)), *state));
  }
  return digest.hex();
}

}  // namespace

TEST_CASE("bits of outputs and gradients", "[.digest]") {
  for (const Variant& variant : variants()) {
    for (const Pattern pattern : kPatterns) {
      for (const int64_t length : {1, 26, 301}) {
        const Shape shape = small_shape(*variant.entry, length, length);
        const bool causal = is_causal(pattern), cross = is_cross(pattern);
        const auto mechanism = variant.create(shape, causal, cross, torch::kFloat32);
        if (!mechanism || !takes(*mechanism, pattern)) continue;
        const Inputs in =
            variant.inputs(*mechanism, shape, torch::kFloat32, 12,
                           {.causal = causal, .cross = cross, .padding = length == 26});
        std::printf("digest %s %s %d %s\n", variant.name().c_str(), pattern_name(pattern),
                    static_cast<int>(length), bits_of(*mechanism, in).c_str());
      }
    }
  }
}
