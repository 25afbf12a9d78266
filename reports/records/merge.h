// SPDX-License-Identifier: MIT
// Records of the same cell: the one rule for run, merge, report and status.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lavo/core/options.h"

namespace lavo {

/// Keeps one record a cell.
///   A record that is ok is kept over one that is not, however late that came.
///   Of two that are ok, and of two that are not, the later attempt counts.
///   Of equal attempts the one that started later counts, else the one that was added later.
class Merger {
 public:
  void add(const json& record);
  const std::map<std::string, json>& records() const { return records_; }
  /// Of all that was added, whether kept or not: what a repetition has to count on from.
  const std::map<std::string, int>& attempts() const { return attempts_; }
  /// One line on the results, no earlier than it, that were dropped for one that is ok; "": none.
  std::string dropped() const;

 private:
  std::map<std::string, json> records_;
  std::map<std::string, int> attempts_;
  std::map<std::string, json> dropped_;  ///< the last that is not ok, for one that is
};

/// The rule in words, for the help of commands.
inline constexpr auto kMergingRule =
    "Of each cell one result counts: an ok one over a later one that is not, else the last "
    "attempt.";

}  // namespace lavo
