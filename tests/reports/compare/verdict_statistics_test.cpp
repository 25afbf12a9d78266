// SPDX-License-Identifier: MIT
#include "reports/compare/verdict_statistics.h"

#include "tests/support/catch.h"

using namespace lavo::compare;

TEST_CASE("Student's tail agrees with printed tables") {
  // t of the 0.05, 0.025 and 0.005 tails, to the four decimals that tables give.
  struct Line {
    double freedom, t05, t025, t005;
  };
  const Line line = GENERATE(Line{1, 6.3138, 12.7062, 63.6567}, Line{2, 2.9200, 4.3027, 9.9248},
                             Line{4, 2.1318, 2.7764, 4.6041}, Line{10, 1.8125, 2.2281, 3.1693},
                             Line{120, 1.6577, 1.9799, 2.6174});
  CAPTURE(line.freedom);
  CHECK(student_t_quantile(0.05, line.freedom) == Approx(line.t05).epsilon(1e-4));
  CHECK(student_t_quantile(0.025, line.freedom) == Approx(line.t025).epsilon(1e-4));
  CHECK(student_t_quantile(0.005, line.freedom) == Approx(line.t005).epsilon(1e-4));
  CHECK(student_t_tail(-line.t05, line.freedom) == Approx(0.95).epsilon(1e-4));
}

TEST_CASE("Student's tail in closed form: Cauchy, and two degrees of freedom") {
  for (const double t : {0.0, 0.3, 1.0, 7.0, 250.0}) {
    CHECK(student_t_tail(t, 1) == Approx(0.5 - std::atan(t) / M_PI).epsilon(1e-6));
    CHECK(student_t_tail(t, 2) == Approx(0.5 - t / (2 * std::sqrt(2 + t * t))).epsilon(1e-5));
  }
}

TEST_CASE("false discovery rates of a worked example") {
  // p(i) m / i, made monotone from the largest down: m = 4.
  const auto rates = false_discovery_rates({0.04, 0.001, 0.03, 0.5});
  CHECK(rates[0] == Approx(0.04 * 4 / 3));
  CHECK(rates[1] == Approx(0.004));
  CHECK(rates[2] == Approx(0.04 * 4 / 3));  // 0.03 * 4 / 2 = 0.06 is above its successor's
  CHECK(rates[3] == Approx(0.5));
  CHECK(false_discovery_rates({}).empty());
}

TEST_CASE("Welch's test of a worked example") {
  // Means 3 and 6, variances 2.5 and 10: t = 3 / sqrt(0.5 + 2), freedom 6.25 / (0.25 / 4 + 4 / 4).
  const Welch result = welch_test({1, 2, 3, 4, 5}, {2, 4, 6, 8, 10});
  CHECK(result.difference == Approx(3));
  const double t = 3 / std::sqrt(2.5), freedom = 6.25 / (0.0625 + 1);
  CHECK(result.p_greater == Approx(student_t_tail(t, freedom)));
  CHECK(result.p_greater + result.p_less == Approx(1));
  CHECK((result.low + result.high) / 2 == Approx(3));
  CHECK(result.low < 0);

  const Welch exact = welch_test({2, 2}, {3, 3});
  CHECK(exact.p_greater == 0);
  CHECK(exact.p_less == 1);
}
