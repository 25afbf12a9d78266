// SPDX-License-Identifier: MIT
// Results in the formats of other tools, which take the files unchanged. Cells and metrics are
// named as in cell_name.h, a metric of a cell by "/metric:NAME" behind it. What has no value is in
// no file but the CSV: a failure must not look like a fast run.
#pragma once

#include <string>
#include <vector>

#include "reports/compare/compare_input.h"

namespace lavo {

struct ExportedFile {
  std::string name;
  std::string content;
};

struct Export {
  std::vector<ExportedFile> files;
  std::vector<std::string> notes;  ///< what was left out, and why
};

/// google-benchmark   google-benchmark.json: every sample is a repetition, for Google Benchmark's
///                    compare.py; google-benchmark-ci.json: one row a cell, its median, for tools
///                    that take one. real_time and cpu_time are the metric `time` in ns; the other
///                    metrics are counters
/// github-action      github-action-smaller.json, -bigger.json: customSmallerIsBetter and
///                    customBiggerIsBetter of github-action-benchmark; only those with an entry,
///                    for the action refuses an empty list
/// bencher            bencher.json: Bencher Metric Format, lower and upper value from the interval
/// csv                cells.csv: a row for each cell and metric, RFC 4180
///
/// Throws InputError for another format, and where there is nothing to write.
Export export_results(const compare::Input& input, const std::string& format);

}  // namespace lavo
