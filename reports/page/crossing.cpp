// SPDX-License-Identifier: MIT
#include "reports/page/crossing.h"

#include <cmath>
#include <limits>

namespace lavo::report {
namespace {

constexpr int kDraws = 2000;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Resampled medians of a metric; one without samples is exact and stays what it is.
std::vector<double> draws_of(const Metric& metric, uint64_t seed) {
  if (metric.samples.empty()) return std::vector<double>(kDraws, metric.value);
  return bootstrap_medians(metric.samples, metric.blocks, kDraws, seed);
}

std::map<double, const Metric*> by_length(const Cells& cells, const std::string& name) {
  std::map<double, const Metric*> values;
  for (const Cell* cell : cells) {
    const Metric* metric = cell->metric(name);
    const json length = cell->axis("length");
    if (metric && length.is_number() && metric->value > 0) values[length] = metric;
  }
  return values;
}

}  // namespace

double crossing(const std::vector<double>& lengths, const std::vector<double>& ours,
                const std::vector<double>& theirs) {
  const auto excess = [&](size_t i) { return std::log(ours[i] / theirs[i]); };
  size_t first = lengths.size();
  while (first > 0 && excess(first - 1) < 0) --first;
  if (first == lengths.size()) return kInfinity;
  if (first == 0) return -kInfinity;
  const double above = excess(first - 1), below = excess(first);
  const double share = above / (above - below);
  return std::exp(std::log(lengths[first - 1]) +
                  share * std::log(lengths[first] / lengths[first - 1]));
}

std::optional<EfficiencyLength> efficiency_length(const Cells& ours, const Cells& theirs,
                                                  const std::string& metric) {
  const auto a = by_length(ours, metric), b = by_length(theirs, metric);
  std::vector<double> lengths, a_values, b_values;
  std::vector<std::vector<double>> a_draws, b_draws;
  bool sampled = false;
  for (const auto& [length, value] : a) {
    const auto found = b.find(length);
    if (found == b.end()) continue;
    lengths.push_back(length);
    a_values.push_back(value->value);
    b_values.push_back(found->second->value);
    a_draws.push_back(draws_of(*value, 2 * lengths.size()));
    b_draws.push_back(draws_of(*found->second, 2 * lengths.size() + 1));
    sampled = sampled || !value->samples.empty() || !found->second->samples.empty();
  }
  if (lengths.size() < 2) return std::nullopt;
  EfficiencyLength result{.value = crossing(lengths, a_values, b_values),
                          .first = lengths.front(),
                          .last = lengths.back()};
  if (!sampled) return result;
  std::vector<double> draws;
  for (size_t draw = 0; draw < kDraws; ++draw) {
    for (size_t i = 0; i < lengths.size(); ++i) {
      a_values[i] = a_draws[i][draw];
      b_values[i] = b_draws[i][draw];
    }
    draws.push_back(crossing(lengths, a_values, b_values));
  }
  result.interval = percentile_interval(std::move(draws));
  return result;
}

Estimate ratio(const Metric& a, const Metric& b) {
  Estimate result{.value = a.value / b.value, .count = 1};
  if (a.samples.empty() && b.samples.empty()) return result;
  const std::vector<double> above = draws_of(a, 1), below = draws_of(b, 2);
  std::vector<double> draws;
  for (size_t i = 0; i < kDraws; ++i) draws.push_back(above[i] / below[i]);
  result.interval = percentile_interval(std::move(draws));
  return result;
}

}  // namespace lavo::report
