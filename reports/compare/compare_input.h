// SPDX-License-Identifier: MIT
// What `compare` and `export` read: one results.json, whole and with cells.
#pragma once

#include "reports/records/results.h"

namespace lavo::compare {

using Cell = Record;
/// Cells by name, then id: the order in the file says nothing.
using Input = ResultsFile;

/// Checks a document of schema lavo.results/1. Throws InputError with the path of the first fault,
/// and where there is no cell.
Input parse_results(const json& document, const std::string& source);

/// `what` is a results file, a directory with results.json, or "baseline:NAME".
Input read_results(const std::string& what);

/// Where `--save-baseline NAME` and baseline:NAME keep their file: NAME.json under $LAVO_BASELINES,
/// by default .lavo/baselines in the working directory. Throws InputError for a name that is no
/// file name.
std::filesystem::path baseline_path(const std::string& name);

}  // namespace lavo::compare
