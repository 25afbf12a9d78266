// SPDX-License-Identifier: MIT
#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

/// Of all that has a batch, entry b alone.
Inputs batch_entry(Inputs in, int64_t b) {
  in.each([b](const std::string&, Tensor& x, const std::string& letters) {
    if (letters.starts_with('B')) x = x.narrow(0, b, 1);
  });
  if (in.key_mask.defined()) in.key_mask = in.key_mask.narrow(0, b, 1);
  return in;
}

}  // namespace

TEST_CASE("a batch of three gives what three batches of one give") {
  torch::NoGradGuard no_grad;
  const bool causal = GENERATE(true, false), padding = GENERATE(true, false);
  int tried = 0;
  for (const Variant& variant : variants()) {
    Shape shape = small_shape(*variant.entry, 70, 70);
    shape.B = 3;
    const auto mechanism = variant.create(shape, causal, false, torch::kFloat64);
    const Pattern pattern = causal ? Pattern::kCausalSelf : Pattern::kNoncausalSelf;
    if (!mechanism || !takes(*mechanism, pattern)) continue;
    CAPTURE(variant.name(), causal, padding);
    const json resolved =
        variant.entry->resolve(variant.options, variant.setting(shape, causal, false));
    // Its largest column sum is that of the whole batch, as published.
    if (resolved.value("pinv_init", "") == "original") continue;
    const Inputs in = variant.inputs(*mechanism, shape, torch::kFloat64, 8,
                                     {.causal = causal, .padding = padding});
    const Tensor whole = mechanism->forward(in);
    std::vector<Tensor> alone;
    for (int64_t b = 0; b < 3; ++b) alone.push_back(mechanism->forward(batch_entry(in, b)));
    CHECK(worst_row_error(torch::cat(alone, 0), whole) <= 1e-12);
    ++tried;
  }
  CHECK((tried > 0) == std::ranges::any_of(tested_mechanisms(), [&](const Entry* entry) {
          return entry->patterns.include(causal ? Pattern::kCausalSelf : Pattern::kNoncausalSelf);
        }));
}
