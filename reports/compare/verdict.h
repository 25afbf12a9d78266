// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reports/records/words.h"

namespace lavo::compare {

/// What became of a cell, or of one metric of it. Worst first: tables are in this order.
enum class Verdict {
  kBroke,         ///< was ok, is not
  kSlower,        ///< a timing metric got worse
  kWorse,         ///< any other metric got worse
  kMissing,       ///< only in BASE
  kIncomparable,  ///< measured on another machine, or means something else now
  kInconclusive,  ///< neither shown to be different nor shown to be the same
  kNew,           ///< only in NEW
  kFixed,         ///< was not ok, is
  kFaster,
  kBetter,
  kSame
};

std::string_view word(Verdict verdict);  ///< "slower"
/// Throws InputError naming `place`, with the nearest word.
Verdict parse_verdict(std::string_view text, const std::string& place);

struct Interval {
  double low = 0, high = 0;
};

/// One line of a comparison.
struct Row {
  std::string cell;     ///< its full name (cell_name.h)
  nlohmann::json axes;  ///< without the seed where seeds are put together
  std::string experiment;
  std::string metric;        ///< empty: the cell itself (its status, its presence)
  std::optional<Kind> kind;  ///< of the metric
  Verdict verdict = Verdict::kSame;
  std::optional<double> base, next;  ///< in `unit`, or base in `base_unit`
  std::string unit;
  std::string base_unit;             ///< where it differs from `unit`: nothing is judged then
  std::optional<double> ratio;       ///< new / base
  std::optional<Interval> interval;  ///< 95 %, of the ratio
  std::optional<double> false_discovery_rate;
  std::optional<double> margin;  ///< relative, that was to be passed
  std::string reason;            ///< why this verdict, where the numbers do not say it
  bool fails = false;            ///< by the policy
};

}  // namespace lavo::compare
