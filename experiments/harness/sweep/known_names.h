// SPDX-License-Identifier: MIT
// The names that cells of an experiment may have, and the words that stand for several mechanisms.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "experiments/experiment.h"
#include "experiments/harness/sweep/sweep.h"

namespace lavo {

std::vector<std::string> axis_names(const Experiment& experiment);

/// An experiment's own axes and, where it has mechanisms, their options; match_state_* where their
/// states can be sized.
class KnownNames {
 public:
  explicit KnownNames(const Experiment& experiment);

  bool contains(const std::string& name) const;
  /// Throws InputError, which begins with `place`, with the nearest name.
  void check(const std::string& name, const std::string& place) const;
  /// The names that a condition reads, and the texts that it compares mechanism and device with.
  void check(const Expression& condition) const;

 private:
  bool own(const std::string& name) const;

  std::string experiment_;
  std::vector<std::string> own_;
};

/// A point with the defaults of whatever it leaves open, for conditions to look at.
class Defaults {
 public:
  explicit Defaults(const Experiment& experiment);
  json fill(const json& axes) const;

 private:
  json own_ = json::object();
  std::unordered_map<std::string, json> of_mechanism_;
};

/// Gives each value of an axis its one spelling. Of `mechanism`, the word "all" and the name of a
/// group become the mechanisms meant, in the order of the table; of `device`, cuda:0 becomes cuda.
/// What is no known name stays, and is refused where the axis is read.
void spell_out(Axis& axis);

/// "cuda" for "cuda:0" and "cuda:00"; other texts as they are.
std::string device_spelling(const std::string& text);

}  // namespace lavo
