// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

#include "experiments/harness/sweep/plan.h"

namespace lavo {

struct SlurmJob {
  std::filesystem::path directory;
  int64_t shards = 1;
  std::string partition;
  std::string time;  ///< empty: from the prediction
};

/// A job array with a shard a job. A job whose time runs out is sent SIGUSR1 a minute before, keeps
/// what is finished and is requeued.
std::string sbatch_script(const Plan& plan, const Selection& selection, const SlurmJob& job);

/// The selectors as they were given on the command line, quoted, each with a space before it.
std::string selectors_text(const Selection& selection);

}  // namespace lavo
