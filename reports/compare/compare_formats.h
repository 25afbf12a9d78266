// SPDX-License-Identifier: MIT
// A comparison for people (terminal, pull request) and for programs (JSON, JUnit).
#pragma once

#include <string>

#include "reports/compare/compare.h"

namespace lavo::compare {

/// An aligned table, worst first. Rows that are the same are counted, not listed, and of each other
/// verdict at most 20, unless `all`. `colour`: ANSI colours.
std::string as_table(const Comparison& comparison, bool all, bool colour);

/// For a comment on a pull request: below GitHub's 65,536 characters, what fails in front.
std::string as_markdown(const Comparison& comparison);

/// {"schema": "lavo.comparison/1", "verdict": "FAIL", "exit_code": 1, "counts", "rows", ...}
json as_json(const Comparison& comparison);

/// JUnit XML: a test case a row; failing rows are failures, rows without an answer are skipped.
std::string as_junit(const Comparison& comparison);

/// What the rows' names have in common, and what sets each apart: "lavo, length 4096".
struct Labels {
  std::string common;  ///< "efficiency, batch 1, causal true"
  std::vector<std::string> rows;
};
Labels short_labels(const std::vector<Row>& rows);

/// "1.234 ms", "-"; exact values with all their digits.
std::string value_text(const std::optional<double>& value, const std::string& unit, const Row& row);
/// "+13.6 % [+11.2, +15.9]", "+1 B (+0.0 %)", "x2.31 [2.20, 2.40]"
std::string change_text(const Row& row);
/// "time: +1.2 % [+0.8, +1.6] over 24 cells"
std::string mean_text(const GeometricMean& mean);
/// What differs between the builds: "git_commit a1b2 -> c3d4".
std::string builds_text(const json& base, const json& next);

}  // namespace lavo::compare
