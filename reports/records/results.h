// SPDX-License-Identifier: MIT
// Reading results.json: checked against its schema and against itself, and typed.
#pragma once

#include <filesystem>
#include <memory>

#include "reports/records/outcome.h"

namespace lavo {

/// One cell of results.json, as it ended.
struct Record {
  std::string id, experiment, reason, environment, started;
  std::string name;  ///< cell_name()
  int64_t spec_version = 1;
  Status status = Status::kOk;
  json axes;
  std::map<std::string, Metric> metrics =
      {};  ///< empty unless ok, so that no status becomes a number
  std::map<std::string, Series> series = {};  ///< empty unless ok
  std::optional<int64_t> seed = {};
  double elapsed_s = 0;
  /// Of notes, by the schema: what match_state_bytes of a sweep chose, for each budget.
  std::vector<json> matched_state = {};
  /// Of its mechanism: title, options with defaults; null where the file does not say.
  std::shared_ptr<const json> facts = {};

  bool ok() const { return status == Status::kOk; }
  /// nullptr when the cell has none of this name.
  const Metric* metric(const std::string& wanted) const;
  const Series* curve(const std::string& wanted) const;
  /// Null when the cell has no such axis.
  json axis(const std::string& wanted) const;
  std::string mechanism() const;  ///< "" when it has none
};

struct ResultsFile {
  std::string source;  ///< the file, for messages
  json environments = json::object();
  std::vector<Record> cells;  ///< in the order of the file

  const json& environment(const Record& cell) const { return environments.at(cell.environment); }
};

/// `document` has passed check_results().
ResultsFile results_from_json(const json& document, const std::string& source);

/// Of a file, or of the directory that holds it. Throws InputError.
json read_results_json(std::filesystem::path path);

}  // namespace lavo
