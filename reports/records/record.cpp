// SPDX-License-Identifier: MIT
#include "reports/records/record.h"

#include <ctime>

namespace lavo {
namespace {

Outcome merged(const std::vector<BlockResult>& blocks) {
  Outcome all;
  std::map<std::string, std::vector<Metric>> metrics;
  for (const BlockResult& block : blocks) {
    for (const auto& [name, metric] : block.outcome.metrics) metrics[name].push_back(metric);
    for (const auto& [name, series] : block.outcome.series) all.series.emplace(name, series);
    all.notes.update(block.outcome.notes);
  }
  for (const auto& [name, parts] : metrics) all.metrics[name] = merged(parts);
  return all;
}

}  // namespace

json to_json(const BlockResult& block) {
  json to = to_json(block.outcome);
  to["status"] = block.status;
  to["reason"] = block.reason;
  to["elapsed_s"] = block.elapsed_s;
  return to;
}

BlockResult block_from_json(const json& from) {
  try {
    BlockResult block{from.at("status").get<Status>(), from.at("reason"), {}, from.at("elapsed_s")};
    for (const auto& [name, metric] : from.at("metrics").items()) {
      block.outcome.metrics[name] = metric_from_json(metric);
    }
    for (const auto& [name, series] : from.at("series").items()) {
      block.outcome.series[name] = series_from_json(series);
    }
    block.outcome.notes = from.at("notes");
    return block;
  } catch (const json::exception& error) {
    fail<InputError>("not the result of a block: {}", error.what());
  }
}

json make_record(const Identity& cell, int attempt, const std::vector<BlockResult>& blocks,
                 const std::string& environment, const std::string& started) {
  const BlockResult& last = blocks.back();
  json record = make_record(cell, attempt, last.status, last.reason, environment);
  record["started"] = started;
  if (last.status == Status::kOk) record.update(to_json(merged(blocks)));
  double elapsed = 0;
  for (const BlockResult& block : blocks) elapsed += block.elapsed_s;
  record["elapsed_s"] = elapsed;
  return record;
}

json make_record(const Identity& cell, int attempt, Status status, const std::string& reason,
                 const std::string& environment) {
  return {{"schema", "lavo.cell/1"},
          {"id", cell.id},
          {"experiment", cell.experiment},
          {"spec_version", cell.spec_version},
          {"attempt", attempt},
          {"status", status},
          {"reason", status == Status::kOk ? json() : json(reason)},
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
