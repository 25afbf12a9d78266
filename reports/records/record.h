// SPDX-License-Identifier: MIT
// Writing the record of a cell (schema lavo.cell/1), from what its blocks measured.
#pragma once

#include <string>
#include <vector>

#include "reports/records/outcome.h"

namespace lavo {

/// What a record is about.
struct Identity {
  std::string id;  ///< of the cell
  std::string experiment;
  int spec_version = 1;
  json axes;
};

/// How one block of a cell ended. Crosses the pipe from a worker and lies on disk until the cell's
/// last block is done.
struct BlockResult {
  Status status = Status::kOk;
  std::string reason;  ///< empty when ok
  Outcome outcome;     ///< empty unless ok
  double elapsed_s = 0;
};

json to_json(const BlockResult& block);
/// Throws InputError where a field is missing or of the wrong kind.
BlockResult block_from_json(const json& from);

/// The record of a cell whose blocks are all done, or whose last block failed: then without
/// metrics.
json make_record(const Identity& cell, int attempt, const std::vector<BlockResult>& blocks,
                 const std::string& environment, const std::string& started);

/// A record without a measurement: skipped, timeout, crashed.
json make_record(const Identity& cell, int attempt, Status status, const std::string& reason,
                 const std::string& environment);

/// Now, as 2024-05-01T12:00:00Z.
std::string utc_now();

}  // namespace lavo
