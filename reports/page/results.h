// SPDX-License-Identifier: MIT
// The cells of one or several runs, as the report reads them.
#pragma once

#include <set>

#include "reports/records/cell_name.h"
#include "reports/records/results.h"
#include "reports/records/setups.h"

namespace lavo::report {

using Cell = Record;
using Cells = std::vector<const Cell*>;

/// What was asked for, from DIR/plans: a cell may belong to several sweeps.
struct Sweep {
  std::string name, file, experiment, description;
  std::string options;  ///< of the command line: "--profile quick --axis length=256"
  std::set<std::string> ids;
};

/// Cells in an order for readers: by experiment, mechanism and axes.
struct Results {
  json environments = json::object();  ///< those that the cells ran in
  std::vector<Cell> cells;
  std::vector<Sweep> sweeps;
  std::string dropped;  ///< a line on results that do not count, or ""
};

/// The sweep that most of the cells belong to, the smallest of several; nullptr when none is known.
const Sweep* sweep_of(const Results& results, const Cells& cells);

/// Reads DIR/results.json of every directory, checked; of each cell one record counts, by the rule
/// of records/merge.h. Throws InputError. Plans that cannot be read are left out: they only say how
/// to run things again.
Results load_results(const std::vector<std::filesystem::path>& directories);

/// Those of one setup: only they may be compared with each other.
Results of_setup(const Results& results, const Setup& setup);

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

/// Axes that are options of the cells' mechanisms: those that the records' facts name; where no
/// record has facts, those that some cell lacks.
std::set<std::string> option_names(const Cells& cells);

/// Axes that say the length again in every cell that has them.
std::set<std::string> length_again(const Cells& cells);

}  // namespace lavo::report
