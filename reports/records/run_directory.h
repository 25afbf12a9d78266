// SPDX-License-Identifier: MIT
// What runs have left in their directories, put together.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "reports/records/merge.h"

namespace lavo {

/// The records of a directory, one a cell by the rule of merge.h.
struct Records {
  std::map<std::string, json> by_id;
  std::map<std::string, int> attempts;  ///< of each cell so far, those that failed too
  /// Lines that were left out, and results that were dropped.
  std::vector<std::string> warnings;
};
/// Throws InputError where the directory cannot be read or is newer than this program.
Records read_records(const std::filesystem::path& directory);

/// lavo.results/1 of one directory or several: environments, facts of mechanisms, and cells.
/// `warnings` gets what was left out or dropped, and how machines and builds differ.
json merge_results(const std::vector<std::filesystem::path>& directories,
                   std::vector<std::string>& warnings);

/// Writes results.json of what several directories hold into `output`, and where that is none of
/// them the records too (cells.merged.jsonl, environments, mechanisms, plans), so that a run can go
/// on there. Returns the results. Trained models are not copied.
json merge_directories(const std::vector<std::filesystem::path>& directories,
                       const std::filesystem::path& output, std::vector<std::string>& warnings);

/// results.json of one directory. Returns what was left out on the way.
std::vector<std::string> write_results(const std::filesystem::path& directory);

/// Throws InputError where it cannot be made, or a file has its name.
void make_directory(const std::filesystem::path& directory);

}  // namespace lavo
