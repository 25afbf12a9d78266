// SPDX-License-Identifier: MIT
// From sweep files and the command line to cells, each named by what it runs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/experiment.h"
#include "experiments/harness/sweep/selection.h"
#include "reports/records/record.h"

namespace lavo {

struct Cell {
  std::string id;  ///< 16 hexadecimal digits: a hash of experiment, spec_version, axes, data digest
  const Experiment* experiment = nullptr;
  json axes;
  json limits;          ///< Limits with every default
  std::string refused;  ///< why it cannot run: its record is `skipped`
  Prediction prediction;
  int blocks = 1;
  std::string row;                  ///< equal for cells that differ only in length
  std::string corpus, data_digest;  ///< as of a Case
  /// What match_state_bytes chose here, for notes.matched_state: one for each budget.
  json matched_state = json::array();

  Identity identity() const { return {id, experiment->name(), experiment->spec_version(), axes}; }
  std::string device() const { return axes.value("device", "cpu"); }  ///< type, without an index
  double length() const { return axes.value("length", 0.0); }         ///< 0 for experiments without
  int64_t threads() const { return axes.value("threads", int64_t{1}); }
  bool alone() const { return device() != "cpu" || blocks > 1 || experiment->runs_alone(); }

  /// Why it will be skipped whatever the machine has free: it is refused, or one call is predicted
  /// to pass the limit; empty otherwise.
  std::string reason_to_skip() const;
  /// What it adds to the time of a run: nothing when skipped, a share when others run beside it.
  double predicted_seconds() const;
};

struct PlannedSweep {
  std::string name, file, experiment, description;
  std::vector<std::string> ids;  ///< in the order of the file; a cell may be in several sweeps
};

struct Plan {
  std::vector<Cell> cells;  ///< each once, in the order of the files
  std::vector<PlannedSweep> sweeps;
  std::string profile;
  std::vector<std::string> notices;     ///< on the data, each once
  std::vector<std::string> off_budget;  ///< states that match_state_bytes got no nearer, each once
};

/// Every cell of the sweeps, of all shards. Throws InputError or OptionError with the place of what
/// is wrong.
Plan make_plan(const Selection& selection);

/// The cells of one shard: dealt in turn, longest predicted first, so that any number of shards
/// divides the time about evenly. Depends on the plan alone, so that shards need not talk.
std::vector<Cell> shard_of(const std::vector<Cell>& cells, Shard shard);

}  // namespace lavo
