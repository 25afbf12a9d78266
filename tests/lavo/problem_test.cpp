// SPDX-License-Identifier: MIT
#include "lavo/core/problem.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"

using namespace lavo;

TEST_CASE("the error of a row is relative to its length; zeros are met exactly") {
  const Tensor b = torch::tensor({{3.0, 4.0}, {0.0, 0.0}}, torch::kFloat64);
  const Tensor a = torch::tensor({{3.0, 4.5}, {0.0, 0.0}}, torch::kFloat64);
  CHECK(worst_row_error(a, b) == Approx(0.1));
  CHECK(worst_row_error(a, a) == 0);
  CHECK(std::isinf(worst_row_error(a + 1e-100, b)));
  CHECK(std::isinf(worst_row_error(a / 0.0, b)));
}

TEST_CASE("a row too small for float32 counts as the smallest that is not") {
  const double smallest = std::numeric_limits<float>::min(), step = std::ldexp(1.0, -149);
  const Tensor b = torch::full({1, 1}, 40.4 * step, torch::kFloat64);
  CHECK(worst_row_error(b.to(torch::kFloat32), b) == Approx(0.4 * step / smallest));
  CHECK(worst_row_error(torch::full({1, 1}, 0.1 * smallest, torch::kFloat32), b) > 0.09);
  CHECK(worst_row_error(torch::full({1, 1}, 40 * step, torch::kFloat64), b) > 0.009);
}
