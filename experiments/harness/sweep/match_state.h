// SPDX-License-Identifier: MIT
// The key `match_state_bytes` of a sweep: mechanisms side by side with states of one size.
//
// It says how many bytes the state of one layer's mechanism should have, for one sequence and over
// all heads, where every number counts as 4 bytes whatever type holds it. Counted is every tensor
// of a real state when it is at its largest: sums, normalisers, full window caches. 8320 numbers a
// head are 33280 bytes with one head. What a layer keeps beside its mechanism is not counted. States
// of about this size are made while the cells are planned, so that 64 MiB are the most.
//
// In each cell one axis or option gets the value whose state comes nearest: the option that the
// mechanism names (Facts::state_option: slots, bases, features, a window), else the experiment's
// width; or what `match_state_by` names, where the cell has it. The value enters the axes: the cell
// is the one that somebody writes by hand.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "experiments/harness/sweep/known_names.h"
#include "lavo/core/state_size.h"

namespace lavo {

struct StateBudget {
  int64_t bytes = 0;
  std::string by;  ///< the axis or option to solve for; "": the mechanism's own
};

/// What a budget came to in a cell.
struct StateMatch {
  StateBudget budget;
  int64_t value = 0;  ///< of budget.by
  StateSize size;
  std::string refused;  ///< why there is no such value; empty where there is

  double counted_bytes() const { return 4 * static_cast<double>(size.numbers); }
  double ratio() const { return counted_bytes() / static_cast<double>(budget.bytes); }
  /// notes.matched_state of a record has one of these for each budget that led to its cell.
  json note() const;
  /// "linear head_dim=91: a state of 33488 bytes, 1.006 of match_state_bytes 33280" where that is
  /// outside of .98 to 1.02, else "".
  std::string off_budget(const std::string& mechanism) const;
};

/// Throws InputError, which begins with the place, where a value of match_state_by is no integer
/// axis or option.
void check_match_by(const Axis& axis, const Experiment& experiment);

class StateMatcher {
 public:
  explicit StateMatcher(const Experiment& experiment) : experiment_(experiment) {}

  /// `given`: the axes of a point, without defaults. Throws OptionError where they are refused, and
  /// where they say already what is to be solved for.
  StateMatch solve(const json& given, const StateBudget& budget);

 private:
  /// first, first + step, first + 2 step, ...: what divides by the heads. Only the first two where
  /// the values stand at no equal steps, as heads do, which divide a width.
  struct Values {
    int64_t first, step;
  };
  struct Search;

  std::string solved_name(const json& given, const std::string& wished) const;
  std::optional<json> resolved(const json& given, const std::string& name, int64_t value) const;
  std::optional<Values> allowed_values(const json& given, const std::string& name) const;
  StateSize counted(const StateUse& use);

  const Experiment& experiment_;
  std::map<std::string, StateSize> counted_;
  std::map<std::string, int64_t> hints_;  ///< where a search like this one has ended
};

}  // namespace lavo
