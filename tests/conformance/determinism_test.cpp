// SPDX-License-Identifier: MIT
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

TEST_CASE("the same seed gives the same bits, another seed other random parameters") {
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, 40, 40);
    const auto one = variant.create(shape, false, false, torch::kFloat32, 1);
    const auto two = variant.create(shape, false, false, torch::kFloat32, 1);
    const auto other = variant.create(shape, false, false, torch::kFloat32, 2);
    if (!one) continue;
    CAPTURE(variant.name());
    const Inputs in = random_inputs(shape, torch::kFloat32, 6);
    CHECK(torch::equal(in.query, random_inputs(shape, torch::kFloat32, 6).query));
    const Tensor out = one->forward(in);
    CHECK(torch::equal(out, one->forward(in)));
    CHECK(torch::equal(out, two->forward(in)));
    for (const auto& item : one->named_parameters()) {
      CHECK(torch::equal(item.value(), two->named_parameters()[item.key()]));
      CHECK_FALSE(torch::equal(item.value(), other->named_parameters()[item.key()]));
    }
  }
}
