// SPDX-License-Identifier: MIT
// The tests behind the verdicts.
#pragma once

#include <vector>

namespace lavo::compare {

/// P(T > t) of Student's distribution with `freedom` >= 1 degrees, to about 8 digits.
double student_t_tail(double t, double freedom);

/// t with student_t_tail(t, freedom) = tail, for 0 < tail < 0.5.
double student_t_quantile(double tail, double freedom);

/// For each p-value the smallest false discovery rate at which it would still be called
/// (Benjamini and Hochberg 1995), in the order given.
std::vector<double> false_discovery_rates(const std::vector<double>& p);

/// Welch's test of mean(b) - mean(a). Both need two values or more.
struct Welch {
  double difference = 0;
  double low = 0, high = 0;  ///< 95 % interval of the difference
  double p_greater = 1;      ///< of mean(b) > mean(a), one-sided
  double p_less = 1;
};
Welch welch_test(const std::vector<double>& a, const std::vector<double>& b);

double mean(const std::vector<double>& values);
/// Sum of squared deviations from the mean.
double squared_deviations(const std::vector<double>& values);

}  // namespace lavo::compare
