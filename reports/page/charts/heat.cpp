// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/page/charts/parts.h"

namespace lavo::report {

json heat_map(const std::string& x_title, const std::string& y_title,
              const std::vector<HeatCell>& cells) {
  json rows = json::array();
  std::vector<double> values;
  for (const HeatCell& cell : cells) {
    rows.push_back({{"x", cell.x}, {"y", cell.y}, {"value", cell.value}, {"text", cell.text}});
    values.push_back(cell.value);
  }
  // A spread under a twentieth must not look like one from light to dark.
  const auto [least, most] =
      values.empty() ? std::ranges::minmax_result<double>{0, 0} : std::ranges::minmax(values);
  const double room = std::max(0.0, 0.05 * std::abs(most) - (most - least)) / 2;
  const double middle = (least + most) / 2 + room;  // above it: dark
  const json x = {{"field", "x"},
                  {"type", "ordinal"},
                  {"scale", {{"paddingInner", 0.03}}},
                  {"axis", {{"title", x_title}, {"labelAngle", 0}}}};
  const json y = {{"field", "y"},
                  {"type", "ordinal"},
                  {"sort", "descending"},
                  {"scale", {{"paddingInner", 0.04}}},
                  {"axis", {{"title", y_title}}}};
  json chart = base();
  chart["width"] = 360;
  chart["height"] = 240;
  chart["data"] = {{"values", rows}};
  chart["layer"] = {
      {{"mark", {{"type", "rect"}}},
       {"encoding",
        {{"x", x},
         {"y", y},
         {"color",
          {{"field", "value"},
           {"type", "quantitative"},
           {"scale",
            {{"scheme", "blues"}, {"domain", {least - room, most + room}}, {"nice", false}}},
           {"legend", nullptr}}}}}},
      {{"mark", {{"type", "text"}, {"fontSize", 13}}},
       {"encoding",
        {{"x", x},
         {"y", y},
         {"text", {{"field", "text"}}},
         {"color",
          {{"condition", {{"test", fmt::format("datum.value > {}", middle)}, {"value", "white"}}},
           {"value", "#1f2937"}}}}}}};
  return chart;
}

}  // namespace lavo::report
