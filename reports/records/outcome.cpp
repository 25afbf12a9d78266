// SPDX-License-Identifier: MIT
#include "reports/records/outcome.h"

#include <algorithm>
#include <cmath>

#include "reports/records/statistics.h"

namespace lavo {
namespace {

Metric merged_timing(const std::vector<Metric>& blocks) {
  Metric all = blocks.front();
  all.samples.clear();
  all.blocks.clear();
  for (const Metric& block : blocks) {
    const std::vector<double> samples =
        block.samples.empty() ? std::vector{block.value} : block.samples;
    all.samples.insert(all.samples.end(), samples.begin(), samples.end());
    const auto count = static_cast<int64_t>(samples.size());
    const std::vector<int64_t> parts = block.blocks.empty() ? std::vector{count} : block.blocks;
    all.blocks.insert(all.blocks.end(), parts.begin(), parts.end());
  }
  all.value = median(all.samples);
  // Over fewer than 3 blocks a bootstrap of blocks says nothing: single samples are drawn instead.
  const bool enough = all.blocks.size() >= 3;
  all.ci95 = bootstrap_median(all.samples, enough ? all.blocks : std::vector<int64_t>{});
  return all;
}

bool is_finite(const Metric& metric) {
  const auto finite = [](double x) { return std::isfinite(x); };
  const bool interval = !metric.ci95 || (finite(metric.ci95->first) && finite(metric.ci95->second));
  return finite(metric.value) && interval && std::ranges::all_of(metric.samples, finite);
}

}  // namespace

json to_json(const Metric& metric) {
  json to = {{"value", metric.value},
             {"unit", metric.unit},
             {"better", metric.better},
             {"kind", metric.kind}};
  if (metric.ci95) to["ci95"] = {metric.ci95->first, metric.ci95->second};
  if (!metric.samples.empty()) to["samples"] = metric.samples;
  if (!metric.blocks.empty()) to["blocks"] = metric.blocks;
  return to;
}

json to_json(const Outcome& outcome) {
  json to = {{"metrics", json::object()}, {"series", json::object()}, {"notes", outcome.notes}};
  for (const auto& [name, metric] : outcome.metrics) to["metrics"][name] = to_json(metric);
  for (const auto& [name, series] : outcome.series) {
    to["series"][name] = {{"x", series.x}, {"unit", series.unit}, {"points", series.points}};
  }
  return to;
}

Metric metric_from_json(const json& from) {
  Metric metric{.value = from.at("value"),
                .unit = from.at("unit"),
                .better = from.at("better").get<Better>(),
                .kind = from.at("kind").get<Kind>()};
  if (from.contains("ci95")) metric.ci95 = {from["ci95"].at(0), from["ci95"].at(1)};
  metric.samples = from.value("samples", std::vector<double>());
  metric.blocks = from.value("blocks", std::vector<int64_t>());
  return metric;
}

Series series_from_json(const json& from) {
  Series series{from.at("x"), from.value("unit", ""), {}};
  for (const json& point : from.at("points")) {
    if (point.at(0).is_number() && point.at(1).is_number()) {
      series.points.emplace_back(point[0], point[1]);
    }
  }
  return series;
}

Metric merged(const std::vector<Metric>& blocks) {
  const Metric& first = blocks.front();
  if (first.kind == Kind::kTiming) return merged_timing(blocks);
  if (first.kind == Kind::kSeeded || blocks.size() == 1) return first;
  return *std::ranges::max_element(blocks, {}, [](const Metric& block) {
    return block.better == Better::kHigher ? -block.value : block.value;
  });
}

std::string find_not_finite(const Outcome& outcome) {
  for (const auto& [name, metric] : outcome.metrics) {
    if (!is_finite(metric)) return fmt::format("metric '{}' is not finite", name);
  }
  for (const auto& [name, series] : outcome.series) {
    for (const auto& [x, y] : series.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) {
        return fmt::format("series '{}' is not finite at {} {}", name, series.x, x);
      }
    }
  }
  return "";
}

}  // namespace lavo
