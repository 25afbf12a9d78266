// SPDX-License-Identifier: MIT
#include "tests/support/results_fixture.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace lavo::test {

json cell_record(const std::string& mechanism, int length, const std::string& pass) {
  const json axes = {{"mechanism", mechanism},
                     {"length", length},
                     {"pass", pass},
                     {"causal", true},
                     {"cross", false},
                     {"dtype", "float32"},
                     {"batch", 1},
                     {"heads", 4},
                     {"head_dim", 64},
                     {"device", "cpu"},
                     {"threads", 2},
                     {"seed", 0},
                     {"implementation", "composed"}};
  const auto id = std::hash<std::string>()("efficiency" + axes.dump());
  char text[17];
  std::snprintf(text, sizeof text, "%016zx", id);
  return {{"schema", "lavo.cell/1"},
          {"id", text},
          {"experiment", "efficiency"},
          {"spec_version", 1},
          {"attempt", 1},
          {"status", "ok"},
          {"reason", nullptr},
          {"axes", axes},
          {"metrics", json::object()},
          {"series", json::object()},
          {"environment", "e"},
          {"seed", 0},
          {"started", "2024-05-01T12:00:00Z"},
          {"elapsed_s", 1.5}};
}

json timing_metric(const std::vector<std::vector<double>>& blocks, const std::string& unit,
                   const std::string& better) {
  json metric = {{"unit", unit},
                 {"better", better},
                 {"kind", "timing"},
                 {"samples", json::array()},
                 {"blocks", json::array()}};
  std::vector<double> all;
  for (const auto& block : blocks) {
    metric["blocks"].push_back(block.size());
    all.insert(all.end(), block.begin(), block.end());
  }
  metric["samples"] = all;
  std::ranges::sort(all);
  metric["value"] = all[all.size() / 2];
  metric["ci95"] = {all[all.size() / 4], all[all.size() * 3 / 4]};
  return metric;
}

json plain_metric(double value, const std::string& unit, const std::string& kind,
                  const std::string& better) {
  return {{"value", value}, {"unit", unit}, {"better", better}, {"kind", kind}};
}

json failed(json record, const std::string& status, const std::string& reason) {
  record["status"] = status;
  record["reason"] = reason;
  for (auto& [name, metric] : record["metrics"].items())
    metric = {{"value", nullptr},
              {"unit", metric["unit"]},
              {"better", metric["better"]},
              {"kind", metric["kind"]}};
  return record;
}

json results_document(std::vector<json> cells) {
  const json machine = {{"cpu_model", "Example CPU"},  {"cores", 2},
                        {"memory_bytes", 8589934592},  {"gpu_model", nullptr},
                        {"gpu_memory_bytes", nullptr}, {"driver", nullptr}};
  const json environment = {{"machine", machine},
                            {"build", {{"compiler", "gcc 12.2.0"}, {"libtorch", "2.11.0"}}},
                            {"circumstance", {{"load", 0.5}}}};
  return {{"schema", "lavo.results/1"}, {"environments", {{"e", environment}}}, {"cells", cells}};
}

json simulated_sweep(uint64_t seed, const Noise& noise, double slow, int blocks, int samples,
                     int lengths) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::exponential_distribution<double> tail;
  std::vector<double> drift;
  for (int b = 0; b < blocks; ++b) {
    const double step = normal(random) * noise.drift;
    drift.push_back(b == 0 ? step : 0.5 * drift.back() + std::sqrt(0.75) * step);
  }
  std::vector<json> cells;
  for (const std::string mechanism : {"vanilla", "lavo", "linear", "local"}) {
    for (int l = 0; l < lengths; ++l) {
      const int length = 256 << l;
      const double truth = length * (mechanism == "vanilla" ? length / 256.0 : 2.0) * 1e-3 *
                           (mechanism == "lavo" ? slow : 1.0);
      std::vector<std::vector<double>> times;
      for (int b = 0; b < blocks; ++b) {
        const double speed = std::exp(drift[static_cast<size_t>(b)] + normal(random) * noise.block);
        auto& block = times.emplace_back();
        for (int s = 0; s < samples; ++s)
          block.push_back(truth * speed * (1 + noise.sample * tail(random)));
      }
      json record = cell_record(mechanism, length);
      record["metrics"]["time"] = timing_metric(times);
      record["metrics"]["peak_memory"] = plain_metric(length * 1024.0, "B", "exact");
      cells.push_back(std::move(record));
    }
  }
  return results_document(std::move(cells));
}

}  // namespace lavo::test
