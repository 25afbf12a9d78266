// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "experiments/harness/run/executor.h"

namespace lavo {

/// What a run says while it goes on. On a terminal: one line at the bottom, redrawn, with what has
/// failed above it. Elsewhere: a line for every finished cell, and one a minute while nothing ends.
class Progress {
 public:
  explicit Progress(const std::vector<Cell>& cells, bool quiet = false);
  ~Progress();

  void record(const Cell& cell, const json& record);
  /// A line for the user, whatever is drawn.
  void say(const std::string& text);
  /// `seconds_left` < 0: not known. `running`: what the workers say, one text each.
  void draw(int done, double seconds_left, const std::vector<std::string>& running);

  /// The cell's experiment and the axes that are not the same in all of them.
  std::string describe(const Cell& cell) const;

 private:
  void clear();

  size_t total_;
  int done_ = 0, failed_ = 0;
  std::vector<std::string> varying_;
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point last_;
};

/// Names of the axes whose values differ between cells.
std::vector<std::string> varying_axes(const std::vector<Cell>& cells);

/// "lavo length=4096 causal=true" for the named axes that the cell has.
std::string describe_axes(const json& axes, const std::vector<std::string>& names);

/// "1h02m", "3m10s", "12s"
std::string duration_text(double seconds);

}  // namespace lavo
