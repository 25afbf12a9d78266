// SPDX-License-Identifier: MIT
#include "reports/compare/verdict_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "lavo/core/check.h"

namespace lavo::compare {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double squared_deviations(const std::vector<double>& values) {
  const double middle = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - middle) * (value - middle);
  return sum;
}

double student_t_tail(double t, double freedom) {
  require(freedom >= 1 && !std::isnan(t), "student_t_tail: freedom {}, t {}", freedom, t);
  if (t < 0) return 1 - student_t_tail(-t, freedom);
  // T = sqrt(freedom) tan(angle) turns the density into cos(angle)^(freedom - 1), on a finite
  // range. Above 1e4 degrees the distribution is the normal one to four digits, and the peak too
  // narrow.
  const double n = std::min(freedom, 1e4);
  const double from = std::atan(t / std::sqrt(n));
  const double to = std::numbers::pi / 2;
  constexpr int kPanels = 2000;  // Simpson's rule
  const double step = (to - from) / kPanels;
  double sum = 0;
  for (int i = 0; i <= kPanels; ++i) {
    const double weight = i == 0 || i == kPanels ? 1 : (i % 2 == 1 ? 4 : 2);
    sum += weight * std::pow(std::max(0.0, std::cos(from + i * step)), n - 1);
  }
  const double whole = std::exp(std::lgamma(n / 2) + std::lgamma(0.5) - std::lgamma(n / 2 + 0.5));
  return std::min(0.5, sum * step / 3 / whole);
}

double student_t_quantile(double tail, double freedom) {
  require(tail > 0 && tail < 0.5, "student_t_quantile: tail {}", tail);
  double low = 0, high = 1;
  while (student_t_tail(high, freedom) > tail) high *= 2;
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2;
    (student_t_tail(middle, freedom) > tail ? low : high) = middle;
  }
  return (low + high) / 2;
}

std::vector<double> false_discovery_rates(const std::vector<double>& p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return p[i]; });
  std::vector<double> rates(p.size());
  double rate = 1;
  for (size_t rank = p.size(); rank > 0; --rank) {
    const size_t i = order[rank - 1];
    rate = std::min(rate, p[i] * static_cast<double>(p.size()) / static_cast<double>(rank));
    rates[i] = rate;
  }
  return rates;
}

Welch welch_test(const std::vector<double>& a, const std::vector<double>& b) {
  require(a.size() >= 2 && b.size() >= 2, "welch_test: {} and {} values", a.size(), b.size());
  const auto variance_of_mean = [](const std::vector<double>& x) {
    const auto n = static_cast<double>(x.size());
    return squared_deviations(x) / (n - 1) / n;
  };
  const double va = variance_of_mean(a), vb = variance_of_mean(b);
  Welch result{.difference = mean(b) - mean(a)};
  if (va + vb == 0) {  // every value the same on each side: nothing is left to chance
    result.low = result.high = result.difference;
    result.p_greater = result.difference > 0 ? 0 : 1;
    result.p_less = result.difference < 0 ? 0 : 1;
    return result;
  }
  const double freedom =
      (va + vb) * (va + vb) /
      (va * va / static_cast<double>(a.size() - 1) + vb * vb / static_cast<double>(b.size() - 1));
  const double error = std::sqrt(va + vb);
  const double reach = student_t_quantile(0.025, freedom) * error;
  result.low = result.difference - reach;
  result.high = result.difference + reach;
  result.p_greater = student_t_tail(result.difference / error, freedom);
  result.p_less = student_t_tail(-result.difference / error, freedom);
  return result;
}

}  // namespace lavo::compare
