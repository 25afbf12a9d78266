// SPDX-License-Identifier: MIT
#include "experiments/harness/statistics.h"

#include <algorithm>
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

std::pair<double, double> bootstrap_median(const std::vector<double>& samples,
                                           const std::vector<int64_t>& blocks, int draws) {
  std::vector<std::vector<double>> groups;
  auto next = samples.begin();
  for (const int64_t length : blocks) {
    groups.emplace_back(next, next + length);
    next += length;
  }
  for (; next != samples.end(); ++next) groups.push_back({*next});
  require(!groups.empty(), "bootstrap: no samples");

  std::mt19937_64 random(1);
  std::vector<double> medians;
  for (int i = 0; i < draws; ++i) {
    std::vector<double> drawn;
    for (size_t g = 0; g < groups.size(); ++g) {
      const auto& group = groups[random() % groups.size()];
      drawn.insert(drawn.end(), group.begin(), group.end());
    }
    medians.push_back(median(std::move(drawn)));
  }
  std::ranges::sort(medians);
  const auto at = [&](double q) {
    return medians[static_cast<size_t>(q * static_cast<double>(draws - 1))];
  };
  return {at(0.025), at(0.975)};
}

}  // namespace lavo
