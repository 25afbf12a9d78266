// SPDX-License-Identifier: MIT
// From which length on a mechanism is faster, and smaller, than vanilla attention: fused (what a
// user would pick) and math (what published speed-ups are measured against).
#include "reports/page/crossing.h"
#include "reports/page/panels.h"
#include "reports/page/roles.h"

namespace lavo::report {
namespace {

/// "from n = 1320 [1250, 1410] tokens on", "at every measured length (256 ... 64K)", "at no ...".
Html in_words(const EfficiencyLength& length) {
  const Html range = ", "_html + tokens(length.first) + " … "_html + tokens(length.last);
  if (length.value == -std::numeric_limits<double>::infinity())
    return "at every length measured"_html + range;
  if (std::isinf(length.value))
    return "not up to the longest length measured, "_html + tokens(length.last);
  Html text = "from n = "_html + tokens(std::round(length.value), By::kEfficiencyLength);
  if (length.interval) {
    const auto end = [&](double value) {
      if (value < length.first) return "below "_html + tokens(length.first);
      if (value > length.last) return "beyond "_html + tokens(length.last);
      return tokens(std::round(value), By::kEfficiencyLength);
    };
    text += " <span class=ci>["_html + end(length.interval->first) + ", "_html +
            end(length.interval->second) + "]</span>"_html;
  }
  return text + " on"_html;
}

/// The part of the measured range where the mechanism is ahead.
Range range_of(const std::string& label, const std::string& mechanism,
               const EfficiencyLength& length) {
  const auto inside = [&](double value) { return std::clamp(value, length.first, length.last); };
  Range range{label, mechanism, length.first, length.last};
  if (length.value > length.last) return range;
  range.from = inside(length.value);
  if (length.interval)
    range.interval = std::pair{inside(length.interval->first), inside(length.interval->second)};
  return range;
}

}  // namespace

std::vector<Section> efficiency_lengths(const Results& results) {
  Section section{"efficiency-length", "Efficiency length", {}, {}};
  Claims claims;
  for (const Panel& panel : efficiency_panels(results)) {
    if (panel.is_decode()) continue;
    for (const Yardstick& base : kYardsticks) {
      const Variant* yardstick = panel.row(base.mechanism);
      if (!yardstick) continue;
      std::vector<Range> ranges;
      const std::string title = fmt::format("Ahead of {}, {}", base.name, panel.title);
      Table table{title, {"mechanism", "faster", "less memory"}, {}};
      for (const Variant& row : panel.rows) {
        if (is_yardstick(row.mechanism)) continue;
        std::vector<TableCell> line = {{marked(row.mechanism, row.label)}};
        for (const auto& [metric, word] :
             {std::pair{"time", "time"}, std::pair{"peak_memory", "memory"}}) {
          const auto length = efficiency_length(row.cells, yardstick->cells, metric);
          if (!length) {
            line.push_back({escape("–")});
            continue;
          }
          line.push_back({in_words(*length), length->value});
          ranges.push_back(
              range_of(fmt::format("{}: {}", row.label, word), row.mechanism, *length));
          if (row.mechanism == kSubject) {
            claims.add(marked(row.mechanism, row.label) +
                           escape(fmt::format(
                               " {} than {}",
                               std::string_view(word) == "time" ? "is faster" : "needs less memory",
                               base.name)),
                       in_words(*length) + escape(" (" + panel.title + ")"));
          }
        }
        table.rows.push_back(line);
      }
      if (ranges.empty()) continue;
      section.blocks.push_back(Figure{
          slug("ahead " + base.mechanism + " " + panel.title), title,
          range_chart({"length n (tokens)", Scale::kTokens}, ranges),
          escape("Bars cover the measured lengths from which on the mechanism stays ahead; the "
                 "line at their start "
                 "is the 95 % interval of that length. No bar: not ahead at the longest length."),
          panel.origin});
      section.blocks.push_back(table);
    }
  }
  section.findings = claims.sentences();
  if (section.blocks.empty()) return {};
  return {section};
}

}  // namespace lavo::report
