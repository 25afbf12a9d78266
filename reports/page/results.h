// SPDX-License-Identifier: MIT
// The cells of one or several runs, as the report reads them.
#pragma once

#include <filesystem>
#include <set>

#include "reports/records/outcome.h"

namespace lavo::report {

/// One cell of results.json. Metrics without a value are left out, so that no status can become a
/// number.
struct Cell {
  std::string id, experiment, status, reason, environment;
  json axes;
  std::map<std::string, Metric> metrics;
  std::map<std::string, Series> series;
  std::optional<int64_t> seed;
  double elapsed_s = 0;

  bool ok() const { return status == "ok"; }
  /// nullptr when the cell has none of this name.
  const Metric* metric(const std::string& name) const;
  const Series* curve(const std::string& name) const;
  /// Null when the cell has no such axis.
  json axis(const std::string& name) const;
  std::string mechanism() const;  ///< "" when it has none
};
using Cells = std::vector<const Cell*>;

/// What was asked for, from DIR/plans: a cell may belong to several sweeps.
struct Sweep {
  std::string name, file, experiment, description;
  std::string options;  ///< of the command line: "--profile quick --axis length=256"
  std::set<std::string> ids;
};

/// Cells in an order for readers: by experiment, mechanism and axes.
struct Results {
  json environments = json::object();
  std::vector<Cell> cells;
  std::vector<Sweep> sweeps;
};

/// The sweep that most of the cells belong to, the smallest of several; nullptr when none is known.
const Sweep* sweep_of(const Results& results, const Cells& cells);

/// Reads DIR/results.json of every directory, checked. A cell that is in two of them counts once:
/// the later one, unless only the earlier one is ok. Throws InputError. Plans that cannot be read
/// are left out: they only say how to run things again.
Results load_results(const std::vector<std::filesystem::path>& directories);

/// "true", "0.5", "shared"; "unset" for null.
std::string text_of(const json& value);

template <class Predicate>
Cells select(const Results& results, Predicate keep) {
  Cells chosen;
  for (const Cell& cell : results.cells) {
    if (keep(cell)) chosen.push_back(&cell);
  }
  return chosen;
}

/// Divides cells by the values of some axes; in the order of the values, numbers by size.
std::map<std::vector<json>, Cells> split(const Cells& cells, const std::vector<std::string>& axes);

/// Axes with more than one value among the cells, and those that not all of them have.
std::set<std::string> varying_axes(const Cells& cells);

}  // namespace lavo::report
