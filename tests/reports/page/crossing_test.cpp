// SPDX-License-Identifier: MIT
#include "reports/page/crossing.h"

#include <cmath>
#include <random>

#include "reports/page/seeds.h"
#include "tests/support/catch.h"

using namespace lavo;
using namespace lavo::report;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Covers at least this often: three binomial standard deviations below 95 % of 300 trials.
constexpr int kTrials = 300;
constexpr int kEnough = 273;

Cell timed(double length, double truth, std::mt19937_64& random, int blocks, int samples) {
  Cell cell;
  cell.status = Status::kOk;
  cell.axes = {{"length", length}};
  Metric& time = cell.metrics["time"];
  for (int b = 0; b < blocks; ++b) {
    for (int s = 0; s < samples; ++s) {
      time.samples.push_back(truth * std::exp(std::normal_distribution(0.0, 0.02)(random)));
    }
    time.blocks.push_back(samples);
  }
  time.value = median(time.samples);
  return cell;
}

Cells pointers(const std::vector<Cell>& cells) {
  Cells list;
  for (const Cell& cell : cells) list.push_back(&cell);
  return list;
}

}  // namespace

TEST_CASE("Student's 95 % quantiles are those of the tables") {
  const auto [freedom, expected] = GENERATE(table<int, double>({{1, 12.706},
                                                                {2, 4.303},
                                                                {5, 2.571},
                                                                {8, 2.306},
                                                                {9, 2.262},
                                                                {12, 2.179},
                                                                {30, 2.042},
                                                                {120, 1.980}}));
  CAPTURE(freedom);
  CHECK(std::abs(student_t95(freedom) - expected) < 6e-4);
}

TEST_CASE("a mean's interval, by hand") {
  // 1, 2, 6: mean 3, variance 7, standard error sqrt(7/3) = 1.5275, times 4.3027.
  const Estimate mean = estimate_mean({1, 2, 6});
  CHECK(mean.value == 3);
  CHECK(std::abs(mean.interval->second - 9.5725) < 1e-3);
  CHECK(std::abs(mean.interval->first + 3.5725) < 1e-3);
  CHECK(!estimate_mean({5}).interval);
}

TEST_CASE("a slope's interval, by hand") {
  // x 0 1 2 3, y 0 1 2 4: slope 1.3, intercept -0.2, residuals .2 -.1 -.4 .3, sum of squares .3,
  // standard error sqrt(.3 / 2 / 5) = .17321, times 4.3027.
  const Estimate slope = estimate_slope({0, 1, 2, 3}, {0, 1, 2, 4});
  CHECK(std::abs(slope.value - 1.3) < 1e-12);
  CHECK(std::abs(slope.interval->second - slope.value - 0.74527) < 1e-4);
  CHECK_THROWS(estimate_slope({1, 1}, {2, 3}));
}

TEST_CASE("the intervals of mean and slope cover the truth") {
  std::mt19937_64 random(5);
  std::normal_distribution<double> noise(0, 1);
  int means = 0, slopes = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> values, x, y;
    for (int i = 0; i < 4; ++i) {
      values.push_back(7 + noise(random));
      x.push_back(i);
      y.push_back(2 * i + noise(random));
    }
    const Estimate mean = estimate_mean(values), slope = estimate_slope(x, y);
    means += mean.interval->first <= 7 && 7 <= mean.interval->second;
    slopes += slope.interval->first <= 2 && 2 <= slope.interval->second;
  }
  CHECK(means >= kEnough);
  CHECK(slopes >= kEnough);
  CHECK(means < kTrials);  // nor are they wide enough to hold anything
  CHECK(slopes < kTrials);
}

TEST_CASE("a crossing is where the curves meet on logarithmic axes") {
  const std::vector<double> lengths = {256, 1024, 4096, 16384};
  CHECK(std::abs(crossing(lengths, {1, 4, 16, 64}, {0.5, 8, 128, 2048}) - 512) < 1e-9);
  CHECK(crossing(lengths, {1, 1, 1, 1}, {2, 2, 2, 2}) == -kInfinity);
  CHECK(crossing(lengths, {3, 1, 1, 3}, {2, 2, 2, 2}) == kInfinity);
  CHECK(crossing(lengths, {1, 1, 1, 1}, {1, 1, 1, 1}) == kInfinity);  // equal is not faster
  // Ahead, behind, ahead again: only from the last crossing on is it ahead for good.
  CHECK(crossing(lengths, {1, 4, 1, 1}, {2, 2, 2, 2}) > 1024);
}

TEST_CASE("the efficiency length's interval covers the true crossing") {
  // ours 0.01 n + 1, theirs n^2 / 50000: equal at n = 682.84.
  const double truth = 250 + std::sqrt(250.0 * 250 + 50000);
  std::mt19937_64 random(11);
  int covered = 0, trials = 0;
  for (; trials < kTrials; ++trials) {
    std::vector<Cell> ours, theirs;
    for (const double n : {truth / 4, truth / 2, truth / 1.1, truth * 1.1, truth * 4}) {
      ours.push_back(timed(n, 0.01 * n + 1, random, 12, 3));
      theirs.push_back(timed(n, n * n / 50000, random, 12, 3));
    }
    const auto length = efficiency_length(pointers(ours), pointers(theirs), "time");
    REQUIRE(length);
    covered += length->interval->first <= truth && truth <= length->interval->second;
  }
  // The bootstrap of 12 blocks is a little narrow: 90 % and more is what it can promise.
  CHECK(covered >= kTrials * 88 / 100);
  CHECK(covered < kTrials);
}

TEST_CASE("paired differences drop what seeds have in common") {
  std::vector<Cell> a(3), b(3);
  for (int seed = 0; seed < 3; ++seed) {
    for (auto* cells : {&a, &b}) {
      Cell& cell = (*cells)[static_cast<size_t>(seed)];
      cell.status = Status::kOk;
      cell.seed = seed;
      cell.metrics["loss"] = {
          .value = 10.0 * seed, .unit = "1", .better = Better::kLower, .kind = Kind::kSeeded};
    }
    a[static_cast<size_t>(seed)].metrics["loss"].value += 0.5;
  }
  const auto difference = paired_difference(pointers(a), pointers(b), "loss");
  CHECK(difference->value == 0.5);
  CHECK(difference->interval->first == 0.5);
  b.pop_back();
  CHECK(paired_difference(pointers(a), pointers(b), "loss")->count == 2);
  CHECK(!paired_difference(pointers(a), pointers(b), "other"));
}
