// SPDX-License-Identifier: MIT
// Runs the cells of a plan and writes their records.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "experiments/harness/plan.h"
#include "experiments/harness/store.h"

namespace lavo {

struct RunOptions {
  std::filesystem::path directory;
  Shard shard;
  std::string retry;  ///< "", failed, crashed, all: which records do not count as done
  bool prune = true;  ///< skip the longer lengths of a row that ran out of memory
};

struct RunSummary {
  std::map<std::string, int> statuses;  ///< of every cell of the shard that has a record
  int planned = 0;
  int finished_now = 0;
  int signal = 0;  ///< what ended the run early; 0 when it came to its end
};

/// Whether the record of an earlier attempt stands, or the cell is to be run (again).
bool is_done(const json& record, const std::string& retry);

/// Returns when every cell has a record, or after a signal. results.json is written in any case.
RunSummary run_plan(const Plan& plan, const json& asked, const RunOptions& options);

}  // namespace lavo
