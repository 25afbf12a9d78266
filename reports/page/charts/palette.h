// SPDX-License-Identifier: MIT
// Colours of mechanisms: the same in every figure and table of a page.
#pragma once

#include <string>
#include <vector>

namespace lavo::report {

/// What tells a mechanism from others. Where there are more mechanisms than colours, those of the
/// next lap have the same colours with another dash and another mark: 24 besides the subject and
/// the yardsticks can be told apart.
struct Ink {
  std::string color;  ///< "#D55E00"
  size_t lap = 0;
};

/// Gives colours by rank: for all charts and tables that are made from now on.
void set_palette(const std::vector<std::string>& mechanisms);

/// One that the palette lacks comes after all that it has.
Ink ink_of(const std::string& mechanism);

}  // namespace lavo::report
