// SPDX-License-Identifier: MIT
#include "reports/page/seeds.h"

namespace lavo::report {

std::optional<Estimate> over_seeds(const Cells& cells, const std::string& metric) {
  std::vector<double> values;
  const Metric* last = nullptr;
  for (const Cell* cell : cells) {
    if (const Metric* found = cell->metric(metric)) {
      values.push_back(found->value);
      last = found;
    }
  }
  if (values.empty()) return std::nullopt;
  Estimate estimate = estimate_mean(values);
  if (values.size() == 1) estimate.interval = last->ci95;
  return estimate;
}

By way_of(const Estimate& estimate) { return estimate.count > 1 ? By::kSeeds : By::kRecord; }

std::optional<Estimate> paired_difference(const Cells& a, const Cells& b,
                                          const std::string& metric) {
  std::map<std::optional<int64_t>, double> theirs;
  for (const Cell* cell : b) {
    if (const Metric* found = cell->metric(metric)) theirs[cell->seed] = found->value;
  }
  std::vector<double> differences;
  for (const Cell* cell : a) {
    const Metric* found = cell->metric(metric);
    const auto other = theirs.find(cell->seed);
    if (found && other != theirs.end()) differences.push_back(found->value - other->second);
  }
  if (differences.empty()) return std::nullopt;
  return estimate_mean(differences);
}

std::vector<ChartPoint> mean_curve(const Cells& cells, const std::string& series) {
  std::map<double, std::vector<double>> values;
  for (const Cell* cell : cells) {
    const Series* curve = cell->curve(series);
    if (!curve) continue;
    for (const auto& [x, y] : curve->points) values[x].push_back(y);
  }
  std::vector<ChartPoint> points;
  for (const auto& [x, ys] : values) {
    const Estimate mean = estimate_mean(ys);
    points.push_back({x, mean.value, mean.interval});
  }
  return points;
}

}  // namespace lavo::report
