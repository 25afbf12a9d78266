// SPDX-License-Identifier: MIT
// What `compare` and `export` read: results.json, as strict as its schema and somewhat stricter.
#pragma once

#include <filesystem>
#include <map>

#include "reports/records/outcome.h"

namespace lavo::compare {

struct Cell {
  std::string id, experiment, status, reason, environment, started;
  int64_t spec_version = 0;
  json axes;
  std::map<std::string, Metric> metrics;  ///< empty unless ok
  std::string name;                       ///< cell_name()

  bool ok() const { return status == "ok"; }
};

struct Input {
  std::string source;  ///< the file, for messages
  json environments;
  std::vector<Cell> cells;  ///< by name, then id: the order in the file says nothing

  const json& environment(const Cell& cell) const { return environments.at(cell.environment); }
};

/// Checks a document of schema lavo.results/1. Throws InputError with the path of the first fault.
Input parse_results(const json& document, const std::string& source);

/// `what` is a results file, a directory with results.json, or "baseline:NAME".
Input read_results(const std::string& what);

/// Where `--save-baseline NAME` and baseline:NAME keep their file: NAME.json under $LAVO_BASELINES,
/// by default .lavo/baselines in the working directory. Throws InputError for a name that is no
/// file name.
std::filesystem::path baseline_path(const std::string& name);

}  // namespace lavo::compare
