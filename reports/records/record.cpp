// SPDX-License-Identifier: MIT
#include "reports/records/record.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "lavo/core/check.h"
#include "reports/records/statistics.h"

namespace lavo {
namespace {

json metric_to_json(const Metric& metric) {
  json to = {{"value", metric.value},
             {"unit", metric.unit},
             {"better", metric.better},
             {"kind", metric.kind}};
  if (metric.ci95) to["ci95"] = {metric.ci95->first, metric.ci95->second};
  if (!metric.samples.empty()) to["samples"] = metric.samples;
  if (!metric.blocks.empty()) to["blocks"] = metric.blocks;
  return to;
}

Metric metric_from_json(const json& from) {
  Metric metric{.value = from.at("value"),
                .unit = from.at("unit"),
                .better = from.at("better"),
                .kind = from.at("kind")};
  if (from.contains("ci95")) metric.ci95 = {from["ci95"].at(0), from["ci95"].at(1)};
  if (from.contains("samples")) metric.samples = from["samples"].get<std::vector<double>>();
  if (from.contains("blocks")) metric.blocks = from["blocks"].get<std::vector<int64_t>>();
  return metric;
}

json series_to_json(const Series& series) {
  return {{"x", series.x}, {"unit", series.unit}, {"points", series.points}};
}

Metric merge_timing(const std::vector<Metric>& blocks) {
  Metric merged = blocks.front();
  merged.samples.clear();
  merged.blocks.clear();
  for (const Metric& block : blocks) {
    const std::vector<double> samples =
        block.samples.empty() ? std::vector{block.value} : block.samples;
    merged.samples.insert(merged.samples.end(), samples.begin(), samples.end());
    const auto count = static_cast<int64_t>(samples.size());
    const std::vector<int64_t> parts = block.blocks.empty() ? std::vector{count} : block.blocks;
    merged.blocks.insert(merged.blocks.end(), parts.begin(), parts.end());
  }
  merged.value = median(merged.samples);
  // Over fewer than 3 blocks a bootstrap of blocks says nothing: single samples are drawn instead.
  const bool enough = merged.blocks.size() >= 3;
  merged.ci95 = bootstrap_median(merged.samples, enough ? merged.blocks : std::vector<int64_t>{});
  return merged;
}

Metric merge(const std::vector<Metric>& blocks) {
  const Metric& first = blocks.front();
  if (first.kind == "timing") return merge_timing(blocks);
  if (first.kind == "seeded" || blocks.size() == 1) return first;
  return *std::ranges::max_element(blocks, {}, [](const Metric& block) {
    return block.better == "higher" ? -block.value : block.value;
  });
}

Outcome merge(const std::vector<BlockResult>& blocks) {
  Outcome merged;
  std::map<std::string, std::vector<Metric>> metrics;
  for (const BlockResult& block : blocks) {
    for (const auto& [name, metric] : block.outcome.metrics) metrics[name].push_back(metric);
    for (const auto& [name, series] : block.outcome.series) merged.series.emplace(name, series);
    merged.notes.update(block.outcome.notes);
  }
  for (const auto& [name, parts] : metrics) merged.metrics[name] = merge(parts);
  return merged;
}

json outcome_to_json(const Outcome& outcome) {
  json to = {{"metrics", json::object()}, {"series", json::object()}, {"notes", outcome.notes}};
  for (const auto& [name, metric] : outcome.metrics) to["metrics"][name] = metric_to_json(metric);
  for (const auto& [name, series] : outcome.series) to["series"][name] = series_to_json(series);
  return to;
}

bool is_finite(const Metric& metric) {
  const auto finite = [](double x) { return std::isfinite(x); };
  const bool interval = !metric.ci95 || (finite(metric.ci95->first) && finite(metric.ci95->second));
  return finite(metric.value) && interval && std::ranges::all_of(metric.samples, finite);
}

}  // namespace

json to_json(const BlockResult& block) {
  json to = outcome_to_json(block.outcome);
  to["status"] = block.status;
  to["reason"] = block.reason;
  to["elapsed_s"] = block.elapsed_s;
  return to;
}

BlockResult block_from_json(const json& from) {
  try {
    BlockResult block{from.at("status"), from.at("reason"), {}, from.at("elapsed_s")};
    for (const auto& [name, metric] : from.at("metrics").items()) {
      block.outcome.metrics[name] = metric_from_json(metric);
    }
    for (const auto& [name, series] : from.at("series").items()) {
      block.outcome.series[name] = {
          series.at("x"), series.at("unit"),
          series.at("points").get<std::vector<std::pair<double, double>>>()};
    }
    block.outcome.notes = from.at("notes");
    return block;
  } catch (const json::exception& error) {
    fail<InputError>("not the result of a block: {}", error.what());
  }
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

json make_record(const Identity& cell, int attempt, const std::vector<BlockResult>& blocks,
                 const std::string& environment, const std::string& started) {
  const BlockResult& last = blocks.back();
  json record = make_record(cell, attempt, last.status, last.reason, environment);
  record["started"] = started;
  if (last.status == "ok") record.update(outcome_to_json(merge(blocks)));
  double elapsed = 0;
  for (const BlockResult& block : blocks) elapsed += block.elapsed_s;
  record["elapsed_s"] = elapsed;
  return record;
}

json make_record(const Identity& cell, int attempt, const std::string& status,
                 const std::string& reason, const std::string& environment) {
  return {{"schema", "lavo.cell/1"},
          {"id", cell.id},
          {"experiment", cell.experiment},
          {"spec_version", cell.spec_version},
          {"attempt", attempt},
          {"status", status},
          {"reason", status == "ok" ? json() : json(reason)},
          {"axes", cell.axes},
          {"metrics", json::object()},
          {"series", json::object()},
          {"notes", json::object()},
          {"environment", environment},
          {"seed", cell.axes.value("seed", 0)},
          {"started", utc_now()},
          {"elapsed_s", 0.0}};
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace lavo
