// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "experiments/harness/sweep/plan.h"

namespace lavo {

/// One block of one cell.
struct Turn {
  size_t cell;  ///< index into the cells
  int block;
};

/// The order in which cells are run. Timed cells come first, in rounds: the first block of each,
/// the second of each, so that slow drift of the machine meets all alike. A round is shuffled (by
/// the ids, so always alike), and then the cells of a row stand in the order of their length: a
/// length that runs out of memory is met before the longer ones. Cells of one block follow in the
/// order of the plan.
std::vector<Turn> make_schedule(const std::vector<Cell>& cells);

}  // namespace lavo
