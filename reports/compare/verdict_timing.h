// SPDX-License-Identifier: MIT
// Whether times changed, from samples that were measured in blocks.
//
// Samples of one block share what the machine did at that time, so a block counts as one
// observation. Everything is in logarithms, with the sign such that larger is worse:
//
//   change      log of the ratio of medians over all samples; of blocks measured side by side, the
//               median of the log ratios within the pairs: a machine that changes its clock every
//               few blocks (seen: by a third) moves both sides of most pairs alike
//   interval    95 %, percentile bootstrap that draws whole blocks
//   p           Student's t on the blocks' medians; of pairs on their differences, trimmed by a
//               sixth at each end (Yuen 1974). Three blocks may agree by chance, so a variance
//               below the typical one of its sweep is drawn towards that (Smyth 2004 with a prior
//               of four degrees of freedom)
//   shift       blocks are interleaved over a sweep: what its cells have in common, block by block,
//               is the machine's drift, and is taken off unless the sweep as a whole is different
//               by a test of its own
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lavo::compare {

using Blocks = std::vector<std::vector<double>>;

/// One metric of one cell. Samples are finite.
struct TimedPair {
  std::string sweep;  ///< cells of one sweep were measured interleaved
  Blocks base, next;  ///< logarithms of samples; negated where higher is better
};

struct TimedChange {
  double log_ratio = 0;       ///< of the samples as they are
  std::vector<double> draws;  ///< its bootstrap draws; draw i of all cells took the same blocks
  double raw_low = 0, raw_high = 0;      ///< its interval
  double judged = 0, low = 0, high = 0;  ///< the same without the shared shift: what is judged
  double p_worse = 1, p_better = 1;      ///< one-sided
  bool by_samples = false;  ///< fewer than three blocks: every sample was taken as a block
  bool testable = false;    ///< false with fewer than two observations on a side
};

/// What all cells of a sweep moved by.
struct SharedShift {
  std::string sweep;
  size_t cells = 0;
  double log_ratio = 0;
  double p = 1;           ///< that blocks alone explain it
  bool taken_off = true;  ///< false: too large for drift, so it is part of every cell's change
};

struct TimedChanges {
  std::vector<TimedChange> cells;   ///< in the order given
  std::vector<SharedShift> shifts;  ///< of sweeps with at least ten cells
};

/// `side_by_side`: block i of base and block i of next were measured one right after the other, so
/// that the difference within each pair counts. Deterministic; cost O(cells draws samples).
TimedChanges timed_changes(std::vector<TimedPair> pairs, bool side_by_side);

}  // namespace lavo::compare
