// SPDX-License-Identifier: MIT
// One token at a time: time per token and bytes of state over the position in the sequence.
#include "reports/curves.h"
#include "reports/panels.h"

namespace lavo::report {

std::vector<Section> decoding(const Results& results) {
  Section section{"decode", "Decoding", {}, {}};
  for (const Panel& panel : efficiency_panels(results)) {
    if (!panel.is_decode()) continue;
    for (const Quantity& quantity : {Quantity{"time", "Time per token", "time per token (ms)", 1},
                                     Quantity{"state_bytes", "State", "state (KiB)", 0x1p-10}}) {
      add_over_length(section, panel, quantity, "position (tokens)",
                      "Median with its 95 % interval. A flat line is constant cost per token.");
    }
  }
  if (section.blocks.empty()) return {};
  return {section};
}

}  // namespace lavo::report
