// SPDX-License-Identifier: MIT
#include "reports/validate.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "experiments/harness/plan.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/json_schema.h"

namespace lavo {
namespace {

using json = nlohmann::json;

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
      const std::vector<int64_t> blocks = fields.at("blocks");
      const auto sum = std::accumulate(blocks.begin(), blocks.end(), int64_t{0});
      const size_t samples = fields.value("samples", json::array()).size();
      require<InputError>(sum == static_cast<int64_t>(samples),
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

std::string counts(const std::map<std::string, int>& statuses) {
  std::string text;
  for (const auto& [status, count] : statuses) text += fmt::format(", {} {}", count, status);
  return text.empty() ? "" : " (" + text.substr(2) + ")";
}

json parse_line(const std::string& line, const std::string& name, size_t number, bool whole) {
  try {
    return json::parse(line);
  } catch (const json::parse_error& error) {
    fail<InputError>("{}:{}:{}: {}", name, number, std::max<size_t>(error.byte, 1),
                     whole ? "not JSON" : "the last line is torn: its end is missing");
  }
}

std::string validate_cells(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  const std::string name = path.string();
  std::map<std::string, int> statuses;
  size_t number = 0;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    const bool whole = end != std::string::npos;
    const std::string line = text.substr(start, whole ? end - start : end);
    start = whole ? end + 1 : text.size();
    const std::string here = fmt::format("{}:{}", name, ++number);
    const json cell = parse_line(line, name, number, whole);
    check_schema(cell, "urn:lavo.cell:1", here);
    check_cell(cell, here, "$");
    ++statuses[cell.at("status")];
  }
  return fmt::format("{}: valid, lavo.cell/1, {} records{}", name, number, counts(statuses));
}

std::string validate_results(const std::filesystem::path& path) {
  const json document = read_json(path);
  const std::string name = path.string();
  const std::string schema =
      document.is_object() && document.contains("schema") && document["schema"].is_string()
          ? document["schema"].get<std::string>()
          : "";
  if (schema == "lavo.cell/1") {
    check_schema(document, "urn:lavo.cell:1", name);
    check_cell(document, name, "$");
    return fmt::format("{}: valid, lavo.cell/1, one record", name);
  }
  require<InputError>(schema == "lavo.results/1",
                      "{}: $.schema: got {}, wanted \"lavo.results/1\" or \"lavo.cell/1\"", name,
                      schema.empty() ? "nothing" : json(schema).dump());
  check_results(document, name);
  std::map<std::string, int> statuses;
  for (const json& cell : document.at("cells")) ++statuses[cell.at("status")];
  return fmt::format("{}: valid, lavo.results/1, {} cells{}", name, document.at("cells").size(),
                     counts(statuses));
}

/// Every profile is planned, so that a mistake shows whichever one will be run.
std::string validate_sweep(const std::filesystem::path& path) {
  std::string cells;
  Plan plan;
  for (const std::string& profile : kProfiles) {
    Selection selection;
    selection.sweeps = {path};
    selection.profile = profile;
    plan = make_plan(selection);
    cells += fmt::format("{}{} {}", cells.empty() ? "" : ", ", profile, plan.cells.size());
  }
  return fmt::format("{}: valid, sweep '{}' of {}, cells: {}", path.string(),
                     plan.sweeps.front().name, plan.sweeps.front().experiment, cells);
}

}  // namespace

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

std::string validate_file(const std::filesystem::path& path) {
  if (path.extension() == ".toml") return validate_sweep(path);
  if (path.extension() == ".jsonl") return validate_cells(path);
  return validate_results(path);
}

}  // namespace lavo
