// SPDX-License-Identifier: MIT
#pragma once

#include <set>
#include <string>
#include <vector>

#include "experiments/harness/sweep/selection.h"

namespace lavo {

/// What the command line says over every sweep file: values of axes, limits, the text to read.
struct Overrides {
  std::vector<Axis> axes;
  json limits = json::object();
  std::string corpus;          ///< a data set of the table, a file or a folder; empty: the first
  std::set<std::string> used;  ///< places of overrides that some sweep had an axis for

  /// Throws InputError or OptionError.
  explicit Overrides(const Selection& selection);

 private:
  void add_setting(Axis setting);
};

}  // namespace lavo
