// SPDX-License-Identifier: MIT
#include "reports/records/check_results.h"

#include <map>
#include <numeric>
#include <vector>

#include "lavo/core/check.h"
#include "reports/records/json_schema.h"

namespace lavo {
namespace {

void check_schema(const json& value, const std::string& id, const std::string& name) {
  if (const auto fault = published_schemas().check(value, id)) {
    fail<InputError>("{}: {}: {}", name, fault->path, fault->text);
  }
}

/// What a schema cannot say of one cell.
void check_cell(const json& cell, const std::string& name, const std::string& path) {
  for (const auto& [metric, fields] : cell.at("metrics").items()) {
    const std::string where = fmt::format("{}: {}.metrics.{}", name, path, metric);
    if (fields.contains("blocks")) {
      const std::vector<double> blocks = fields.at("blocks");  // sums of integers may overflow
      const double sum = std::accumulate(blocks.begin(), blocks.end(), 0.0);
      const size_t samples = fields.value("samples", json::array()).size();
      require<InputError>(sum == static_cast<double>(samples),
                          "{}.blocks: sums to {}, wanted {}, the number of samples", where, sum,
                          samples);
    }
    if (fields.contains("ci95")) {
      const auto [low, high] = fields.at("ci95").get<std::pair<double, double>>();
      require<InputError>(low <= high, "{}.ci95: got [{}, {}], wanted low <= high", where, low,
                          high);
    }
  }
}

}  // namespace

void check_record(const json& record, const std::string& name) {
  check_schema(record, "urn:lavo.cell:1", name);
  check_cell(record, name, "$");
}

void check_results(const json& results, const std::string& name) {
  check_schema(results, "urn:lavo.results:1", name);
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < results.at("cells").size(); ++i) {
    const json& cell = results.at("cells")[i];
    const std::string path = fmt::format("$.cells[{}]", i);
    check_cell(cell, name, path);
    const std::string environment = cell.at("environment");
    require<InputError>(results.at("environments").contains(environment),
                        "{}: {}.environment: '{}' is not in $.environments", name, path,
                        environment);
    const auto [first, once] = seen.emplace(cell.at("id"), i);
    require<InputError>(once, "{}: {}.id: '{}' is the id of $.cells[{}] too", name, path,
                        first->first, first->second);
  }
}

}  // namespace lavo
