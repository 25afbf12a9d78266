// SPDX-License-Identifier: MIT
// A record or a results.json that was parsed, against the published schema and against itself: ids
// once, environments there, blocks that sum to the samples. `name` begins the messages of the
// InputError, which go on with the JSON path, what was got and what was wanted.
#pragma once

#include <string>

#include "lavo/core/options.h"

namespace lavo {

/// A line of cells.jsonl.
void check_record(const json& record, const std::string& name);

/// The whole of results.json.
void check_results(const json& results, const std::string& name);

}  // namespace lavo
