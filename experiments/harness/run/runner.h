// SPDX-License-Identifier: MIT
// Runs the cells of a plan and writes their records.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "experiments/harness/run/executor.h"

namespace lavo {

struct RunOptions {
  std::filesystem::path directory;
  Shard shard;
  std::vector<Device> devices;  ///< a cell runs on one of its type; by default the first of each
  Isolation isolation = Isolation::kWorker;
  std::string retry;   ///< "", failed, crashed, all: which records do not count as done
  bool fresh = false;  ///< set aside what the directory holds, and begin anew
  bool prune = true;   ///< skip the longer lengths of a row that ran out of memory
  bool quiet = false;  ///< say nothing while it goes on
};

struct RunSummary {
  std::map<std::string, int> statuses;  ///< of every cell of the shard that has a record
  int planned = 0;
  int signal = 0;          ///< what ended the run early; 0 when it came to its end
  int recorded = 0;        ///< cells that got their record in this run
  double elapsed_s = 0;    ///< from the first cell to the last record
  double in_blocks_s = 0;  ///< of it in blocks, over all devices: the rest is the harness's own
};

/// Returns when every cell has a record, or after a signal: the first lets running blocks end for
/// some seconds, the second breaks them off. results.json is written in any case. `asked` goes into
/// the directory's plans.
RunSummary run_plan(const Plan& plan, const json& asked, const RunOptions& options);

}  // namespace lavo
