// SPDX-License-Identifier: MIT
#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

struct Lengths {
  int64_t T, S;
};

/// How many roundings may pile up: every key's term, and what the mechanism does before the sum
/// (projections of D, R or M numbers).
int64_t terms(const Shape& shape) { return shape.S + 64; }

void agree(const Variant& variant, const Shape& shape, torch::ScalarType type, Pattern pattern,
           bool padding) {
  const bool causal = is_causal(pattern), cross = is_cross(pattern);
  const auto mechanism = variant.create(shape, causal, cross, type);
  if (!mechanism) return;
  const Inputs in = variant.inputs(*mechanism, shape, type, 7,
                                   {.causal = causal, .cross = cross, .padding = padding});
  CAPTURE(variant.name(), toString(type), shape.T, shape.S, pattern_name(pattern), padding);
  if (!takes(*mechanism, pattern)) {
    CHECK_THROWS_AS(mechanism->forward(in), ShapeError);
    return;
  }
  torch::NoGradGuard no_grad;
  const Tensor out = mechanism->forward(in);
  CHECK(out.scalar_type() == type);
  const double error = worst_row_error(out, mechanism->reference(in, all_rows(shape.T)));
  const double bound = tolerance(type, terms(shape));
  if (error <= bound) {
    SUCCEED();
    return;
  }
  CHECK(error <= kIterationSlack * (bound + moved_by(bound, *mechanism, in)));
}

}  // namespace

TEST_CASE("every mechanism agrees with its reference at every length") {
  const auto type = GENERATE(torch::kFloat64, torch::kFloat32, torch::kBFloat16, torch::kFloat16);
  for (const Variant& variant : small_mechanisms()) {
    for (const Pattern pattern : kPatterns) {
      for (const auto& [T, S] :
           std::vector<Lengths>{{1, 1}, {2, 2}, {7, 7}, {63, 63}, {65, 65}, {130, 130}, {33, 70}}) {
        if (T != S && !is_cross(pattern)) continue;
        agree(variant, small_shape(*variant.entry, T, S), type, pattern, false);
      }
    }
  }
}

TEST_CASE("every option's choices agree with the reference, with and without padding") {
  const auto type = GENERATE(torch::kFloat64, torch::kFloat32);
  const bool padding = GENERATE(false, true);
  for (const Variant& variant : variants()) {
    for (const Pattern pattern : kPatterns) {
      agree(variant, small_shape(*variant.entry, 23, 23), type, pattern, padding);
    }
  }
}

TEST_CASE("every mechanism agrees with its reference at its default sizes") {
  for (const Entry* entry : tested_mechanisms()) {
    const Variant variant{entry, json::object()};
    for (const Pattern pattern : kPatterns) {
      const Shape shape{.B = 1, .H = 2, .T = 200, .S = 200, .D = 32, .E = 32};
      agree(variant, shape, torch::kFloat32, pattern, true);
    }
  }
}

TEST_CASE("a mechanism refuses nothing at its default sizes but what its line of the table says") {
  for (const Entry* entry : tested_mechanisms()) {
    const Shape shape{.B = 1, .H = 2, .T = 20, .S = 20, .D = 16, .E = 16};
    const Variant variant{entry, json::object()};
    for (const Pattern pattern : kPatterns) {
      const auto mechanism =
          variant.create(shape, is_causal(pattern), is_cross(pattern), torch::kFloat32);
      CAPTURE(entry->name, pattern_name(pattern));
      REQUIRE(mechanism);
      CHECK(takes(*mechanism, pattern) == entry->patterns.include(pattern));
    }
  }
}
