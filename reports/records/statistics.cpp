// SPDX-License-Identifier: MIT
#include "reports/records/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "lavo/core/check.h"

namespace lavo {

double median(std::vector<double> values) {
  require(!values.empty(), "median: no values");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

std::vector<double> bootstrap_medians(const std::vector<double>& samples,
                                      const std::vector<int64_t>& blocks, int draws,
                                      uint64_t seed) {
  std::vector<std::vector<double>> groups;
  auto next = samples.begin();
  for (const int64_t length : blocks) {
    groups.emplace_back(next, next + length);
    next += length;
  }
  for (; next != samples.end(); ++next) groups.push_back({*next});
  require(!groups.empty(), "bootstrap: no samples");

  std::mt19937_64 random(seed);
  std::vector<double> medians;
  for (int i = 0; i < draws; ++i) {
    std::vector<double> drawn;
    for (size_t g = 0; g < groups.size(); ++g) {
      const auto& group = groups[random() % groups.size()];
      drawn.insert(drawn.end(), group.begin(), group.end());
    }
    medians.push_back(median(std::move(drawn)));
  }
  return medians;
}

std::pair<double, double> percentile_interval(std::vector<double> draws) {
  require(!draws.empty(), "interval: no values");
  std::ranges::sort(draws);
  const auto at = [&](double q) {
    return draws[static_cast<size_t>(q * static_cast<double>(draws.size() - 1))];
  };
  return {at(0.025), at(0.975)};
}

std::pair<double, double> bootstrap_median(const std::vector<double>& samples,
                                           const std::vector<int64_t>& blocks, int draws) {
  return percentile_interval(bootstrap_medians(samples, blocks, draws, /*seed=*/1));
}

double student_t95(int64_t freedom) {
  require(freedom >= 1, "student: got {} degrees of freedom, wanted at least 1", freedom);
  constexpr double kExact[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060};
  if (freedom <= 8) return kExact[freedom - 1];
  // Cornish-Fisher expansion about the normal quantile: off by less than 1e-4 from here on.
  constexpr double z = 1.959964;
  const double n = static_cast<double>(freedom);
  const double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n);
}

Estimate estimate_mean(const std::vector<double>& values) {
  require(!values.empty(), "mean: no values");
  const double n = static_cast<double>(values.size());
  Estimate estimate{.count = static_cast<int64_t>(values.size())};
  estimate.value = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.size() < 2) return estimate;
  double squares = 0;
  for (const double value : values) squares += std::pow(value - estimate.value, 2);
  const double half = student_t95(estimate.count - 1) * std::sqrt(squares / (n - 1) / n);
  estimate.interval = {estimate.value - half, estimate.value + half};
  return estimate;
}

Estimate estimate_slope(const std::vector<double>& x, const std::vector<double>& y) {
  require(x.size() == y.size(), "slope: {} x for {} y", x.size(), y.size());
  const double mean_x = estimate_mean(x).value, mean_y = estimate_mean(y).value;
  double xx = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  require(xx > 0, "slope: wanted two different x");
  Estimate estimate{.value = xy / xx, .count = static_cast<int64_t>(x.size())};
  if (x.size() < 3) return estimate;
  double left = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    left += std::pow(y[i] - mean_y - estimate.value * (x[i] - mean_x), 2);
  }
  const double freedom = static_cast<double>(x.size() - 2);
  const double half = student_t95(estimate.count - 2) * std::sqrt(left / freedom / xx);
  estimate.interval = {estimate.value - half, estimate.value + half};
  return estimate;
}

}  // namespace lavo
