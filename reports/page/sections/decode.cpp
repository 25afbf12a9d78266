// SPDX-License-Identifier: MIT
// One token at a time: time per token and bytes of state over the position in the sequence.
#include <algorithm>

#include "reports/page/crossing.h"
#include "reports/page/curves.h"
#include "reports/page/panels.h"
#include "reports/page/roles.h"

namespace lavo::report {
namespace {

/// How much slower a token is at the longest position than at the shortest.
void add_claim(const Panel& panel, const Variant& row, Claims& claims) {
  const auto length = [](const Cell* cell) { return cell->axis("length").get<double>(); };
  Cells measured;
  for (const Cell* cell : row.cells) {
    if (cell->metric("time")) measured.push_back(cell);
  }
  if (measured.empty()) return;
  const auto [shortest, longest] = std::ranges::minmax(measured, {}, length);
  if (shortest == longest) return;
  const Estimate factor = ratio(*longest->metric("time"), *shortest->metric("time"));
  claims.add("Decoding, time of a token at position "_html + tokens(length(longest)) +
                 " over that at "_html + tokens(length(shortest)) + escape(", " + panel.title),
             marked(row.mechanism, row.label) + " "_html +
                 number(factor.value, factor.interval, "x", By::kRatio));
}

}  // namespace

std::vector<Section> decoding(const Results& results) {
  Section section{"decode", "Decoding", {}, {}};
  Claims claims;
  for (const Panel& panel : efficiency_panels(results)) {
    if (!panel.is_decode()) continue;
    for (const Variant& row : panel.rows) {
      if (row.mechanism == kSubject || row.mechanism == kFused.mechanism)
        add_claim(panel, row, claims);
    }
    for (const Quantity& quantity : {Quantity{"time", "Time per token", "time per token (ms)", 1},
                                     Quantity{"state_bytes", "State", "state (KiB)", 0x1p-10}}) {
      add_over_length(section, panel, quantity, "position (tokens)",
                      "Median with its 95 % interval. A flat line is constant cost per token.");
    }
  }
  section.findings = claims.sentences();
  if (section.blocks.empty()) return {};
  return {section};
}

}  // namespace lavo::report
