// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace lavo {

double median(std::vector<double> values);

/// Medians of `draws` bootstrap resamples. Whole blocks are drawn, not samples: samples of one
/// block share what was going on at that time. `blocks` gives the lengths into which `samples`
/// divides; {} is one sample a block. Deterministic in `seed`.
std::vector<double> bootstrap_medians(const std::vector<double>& samples,
                                      const std::vector<int64_t>& blocks, int draws, uint64_t seed);

/// The middle 95 % of the values. They may hold infinities, but no NaN.
std::pair<double, double> percentile_interval(std::vector<double> draws);

/// Percentile bootstrap interval (95 %) of the median, over blocks as above.
std::pair<double, double> bootstrap_median(const std::vector<double>& samples,
                                           const std::vector<int64_t>& blocks, int draws = 2000);

/// t with P(|T| < t) = 0.95 for Student's distribution with `freedom` >= 1 degrees.
double student_t95(int64_t freedom);

struct Estimate {
  double value = 0;
  std::optional<std::pair<double, double>> interval = {};  ///< 95 %; unset with too few values
  int64_t count = 0;
};

/// Mean, and Student's interval of it from two values on.
Estimate estimate_mean(const std::vector<double>& values);

/// Slope of the least-squares line through (x, y), and Student's interval of it from three points
/// on: it holds what the line leaves over as well as noise. Throws without two different x.
Estimate estimate_slope(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace lavo
