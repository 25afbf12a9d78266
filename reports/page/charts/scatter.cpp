// SPDX-License-Identifier: MIT
#include "reports/page/charts/parts.h"

namespace lavo::report {

json scatter_chart(const AxisSpec& x, const AxisSpec& y, const std::vector<ScatterPoint>& points) {
  json rows = json::array();
  std::vector<std::pair<std::string, std::string>> mechanisms;
  for (const ScatterPoint& point : points)
    mechanisms.emplace_back(point.mechanism, point.mechanism);
  const Look look(mechanisms, "mechanism");
  std::vector<double> xs, ys;
  for (const ScatterPoint& point : points) {
    if (!fits(point.x, x) || !fits(point.y, y)) continue;
    json row = {{"label", point.label},
                {"mechanism", point.mechanism},
                {"x", point.x},
                {"y", point.y},
                {"name", point.named ? point.label : ""}};
    xs.push_back(point.x);
    ys.push_back(point.y);
    if (point.interval) {
      row["low"] = point.interval->first;
      row["high"] = point.interval->second;
    }
    rows.push_back(row);
  }
  const json place = {
      {"x", channel("x", x, xs)}, {"y", channel("y", y, ys)}, {"color", look.color()}};
  json range = place;
  range["y"]["field"] = "low";
  range["y2"] = {{"field", "high"}};
  json dot = place;
  dot["color"] = look.color_with_legend();
  dot["shape"] = look.shape();
  dot["opacity"] = faded(0.85, 0.12);
  dot["tooltip"] = tooltip({{"label", "what"},
                            {"x", x.title},
                            {"y", y.title},
                            {"low", "95 % low"},
                            {"high", "95 % high"}});
  json name = place;
  name["color"] = {{"value", "#374151"}};
  name["text"] = {{"field", "name"}};
  json chart = base();
  chart["data"] = {{"values", rows}};
  chart["layer"] = {{{"transform", {{{"filter", "isValid(datum.low)"}}}},
                     {"mark", {{"type", "rule"}, {"strokeWidth", 1.5}}},
                     {"encoding", range}},
                    {{"params", {legend_pick("mechanism")}},
                     {"mark", {{"type", "point"}, {"filled", true}, {"size", 110}}},
                     {"encoding", dot}},
                    {{"mark",
                      {{"type", "text"},
                       {"align", "left"},
                       {"baseline", "top"},
                       {"dx", 8},
                       {"dy", 4},
                       {"fontSize", 11}}},
                     {"encoding", name}}};
  chart["resolve"] = own_legends();
  return chart;
}

}  // namespace lavo::report
