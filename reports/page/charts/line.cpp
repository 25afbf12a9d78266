// SPDX-License-Identifier: MIT
#include "reports/page/charts/parts.h"

namespace lavo::report {

json line_chart(const AxisSpec& x, const AxisSpec& y, const std::vector<Curve>& curves,
                const std::vector<Rule>& rules, bool dots) {
  json rows = json::array();
  const Look look(labels_of(curves));
  std::vector<double> xs, ys;
  bool bands = false;
  for (const Curve& curve : curves) {
    for (const ChartPoint& point : curve.points) {
      if (!fits(point.x, x) || !fits(point.y, y)) continue;
      json row = {{"label", curve.label}, {"x", point.x}, {"y", point.y}};
      xs.push_back(point.x);
      ys.push_back(point.y);
      if (point.interval && fits(point.interval->first, y)) {
        row["low"] = point.interval->first;
        row["high"] = point.interval->second;
        bands = true;
      }
      rows.push_back(row);
    }
  }
  for (const Rule& rule : rules) {
    if (fits(rule.at, x)) xs.push_back(rule.at);
  }
  json encoding = {{"x", channel("x", x, xs)}, {"y", channel("y", y, ys)}, {"color", look.color()}};
  json layers = json::array();
  if (bands) {
    json band = encoding;
    band["y"] = channel("low", y, ys);
    band["y2"] = {{"field", "high"}};
    band["opacity"] = faded(0.18, 0.03);
    layers.push_back({{"transform", {{{"filter", "isValid(datum.low)"}}}},
                      {"mark", {{"type", "area"}, {"clip", true}}},
                      {"encoding", band}});
  }
  json line = encoding;
  line["strokeDash"] = look.dash();
  line["opacity"] = faded(1, 0.12);
  layers.push_back({{"params", {legend_pick()}},
                    {"mark", {{"type", "line"}, {"strokeWidth", 2}}},
                    {"encoding", line}});
  if (!dots) layers.back()["encoding"]["color"] = look.color_with_legend();
  json point = encoding;
  if (dots) point["color"] = look.color_with_legend();
  point["opacity"] = dots ? faded(1, 0.12) : json{{"value", 0}};
  point["tooltip"] = tooltip({{"label", "what"},
                              {"x", x.title},
                              {"y", y.title},
                              {"low", "95 % low"},
                              {"high", "95 % high"}});
  if (dots) point["shape"] = look.shape();
  layers.push_back(
      {{"mark", {{"type", "point"}, {"filled", true}, {"size", 45}}}, {"encoding", point}});
  for (const json& layer : rule_layers(rules, x, xs)) layers.push_back(layer);

  json chart = base();
  chart["data"] = {{"values", rows}};
  chart["layer"] = layers;
  chart["resolve"] = own_legends();
  return chart;
}

}  // namespace lavo::report
