// SPDX-License-Identifier: MIT
// Time and peak memory over length, from the efficiency experiment: one panel for each combination
// of pass, pattern, type and machine setting.
#include "reports/page/curves.h"
#include "reports/page/roles.h"

namespace lavo::report {

std::vector<Section> time_and_memory(const Results& results) {
  Section section{"time-memory", "Time and memory over length", {}, {}};
  constexpr auto caption =
      "Median with its 95 % interval; both axes are logarithmic, so a straight line of slope 1 is "
      "linear cost.";
  Claims claims;
  for (const Panel& panel : efficiency_panels(results)) {
    if (panel.is_decode()) continue;
    for (const Html& note : missing_controls(panel.rows, kControlsOfTime)) {
      section.blocks.push_back(note);
    }
    for (const Quantity& quantity :
         {Quantity{"time", "Time", "time (ms)", 1},
          Quantity{"peak_memory", "Peak memory", "peak memory above the inputs (MiB)", 0x1p-20}}) {
      add_over_length(section, panel, quantity, "length n (tokens)", caption);
      for (const Variant& row : panel.rows) {
        const auto slope = fitted_exponent(row.cells, quantity.metric);
        if (!slope || row.mechanism != kSubject) continue;
        claims.add(escape(quantity.name) + " of "_html + marked(row.mechanism, row.label) +
                       " grows with this power of the length"_html,
                   number(slope->value, slope->interval, "1", By::kExponent) +
                       escape(" (" + panel.title + ")"));
      }
    }
  }
  section.findings = claims.sentences();
  if (section.blocks.empty()) return {};
  return {section};
}

}  // namespace lavo::report
