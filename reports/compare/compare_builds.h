// SPDX-License-Identifier: MIT
// Two builds measured side by side: processes in the order A B B A A B ..., so that whatever the
// machine does in a minute happens to both.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "reports/records/outcome.h"

namespace lavo::compare {

struct BuildsToRun {
  std::filesystem::path base, next;    ///< two lavo-bench programs
  std::vector<std::string> arguments;  ///< of `run`, without -o: sweeps and selectors
  int rounds = 6;                      ///< processes of each build
  std::filesystem::path directory;     ///< rounds that are complete there are not run again
};

/// Runs all rounds and writes base/results.json and new/results.json into the directory, a block a
/// round. `progress` gets a line after each process. Throws InputError where a program cannot be
/// started or ends with an error; its output is kept beside its results.
void run_builds(const BuildsToRun& builds, const std::function<void(const std::string&)>& progress);

/// One results document of several by the same build: samples of round i are block i; of an exact
/// metric and of a bound the worst counts; a cell that failed in one round has failed.
json merge_rounds(const std::vector<json>& documents);

}  // namespace lavo::compare
