// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "reports/page/charts/palette.h"
#include "reports/page/charts/parts.h"

namespace lavo::report {
namespace {

json label_axis(const json& order) {
  return {{"field", "label"},
          {"type", "nominal"},
          {"sort", order},
          {"axis",
           {{"title", nullptr},
            {"labelLimit", 420},
            {"ticks", false},
            {"domain", false},
            {"labelPadding", 8}}}};
}

}  // namespace

json bar_chart(const AxisSpec& x, const std::vector<Bar>& bars, const std::vector<Rule>& rules,
               bool dots) {
  dots = dots || x.scale != Scale::kLinear;
  json rows = json::array();
  json order = json::array();
  std::vector<double> xs;
  for (const Bar& bar : bars) {
    order.push_back(bar.label);
    if (!fits(bar.value, x)) continue;
    json row = {{"label", bar.label},
                {"value", bar.value},
                {"color", ink_of(bar.mechanism).color},
                {"note", bar.note}};
    xs.push_back(bar.value);
    if (bar.interval) {
      row["low"] = bar.interval->first;
      row["high"] = bar.interval->second;
      for (const double end : {bar.interval->first, bar.interval->second}) {
        if (fits(end, x)) xs.push_back(end);
      }
    }
    rows.push_back(row);
  }
  for (const Rule& rule : rules) {
    if (fits(rule.at, x)) xs.push_back(rule.at);
  }
  json place = channel("value", x, xs);
  if (!dots) place["scale"] = {{"zero", true}};
  const json names = label_axis(order);
  const json color = {
      {"field", "color"}, {"type", "nominal"}, {"scale", nullptr}, {"legend", nullptr}};
  const json tips = tooltip({{"label", "what"},
                             {"value", x.title},
                             {"low", "95 % low"},
                             {"high", "95 % high"},
                             {"note", "note"}});
  json layers = json::array();
  json mark = dots ? json{{"type", "point"}, {"filled", true}, {"size", 90}, {"opacity", 1}}
                   : json{{"type", "bar"}, {"height", {{"band", 0.62}}}, {"opacity", 1}};
  layers.push_back(
      {{"mark", mark},
       {"encoding", {{"y", names}, {"x", place}, {"color", color}, {"tooltip", tips}}}});
  json low = place;
  low["field"] = "low";
  layers.push_back(
      {{"transform", {{{"filter", "isValid(datum.low)"}}}},
       {"mark", {{"type", "rule"}, {"strokeWidth", 1.5}, {"color", dots ? "#6b7280" : "#111827"}}},
       {"encoding", {{"y", names}, {"x", low}, {"x2", {{"field", "high"}}}}}});
  layers.push_back({{"transform", {{{"filter", "datum.note != ''"}}}},
                    {"mark",
                     {{"type", "text"},
                      {"align", "right"},
                      {"dx", -10},
                      {"dy", -7},
                      {"fontSize", 11},
                      {"color", "#9a3412"}}},
                    {"encoding", {{"y", names}, {"x", place}, {"text", {{"field", "note"}}}}}});
  for (json layer : rule_layers(rules, x, xs)) {
    // A bar would cover a name at the top; the last bars are short.
    if (!dots && layer["mark"]["type"] == "text")
      layer["mark"].update({{"y", "height"}, {"dy", -8}});
    layers.push_back(layer);
  }
  json chart = base();
  chart["height"] = {{"step", 26}};
  chart["data"] = {{"values", rows}};
  chart["layer"] = layers;
  return chart;
}

json range_chart(const AxisSpec& x, const std::vector<Range>& ranges) {
  json rows = json::array();
  json order = json::array();
  std::vector<double> xs;
  for (const Range& range : ranges) {
    order.push_back(range.label);
    xs.insert(xs.end(), {range.low, range.high});
    json row = {{"label", range.label},
                {"color", ink_of(range.mechanism).color},
                {"first", range.low},
                {"last", range.high}};
    if (range.from) row["from"] = *range.from;
    if (range.interval) {
      row["low"] = range.interval->first;
      row["high"] = range.interval->second;
    }
    rows.push_back(row);
  }
  const json y = label_axis(order);
  const json color = {
      {"field", "color"}, {"type", "nominal"}, {"scale", nullptr}, {"legend", nullptr}};
  const auto layer = [&](const char* from, const char* to, const json& mark) {
    json place = channel(from, x, xs);
    json encoding = {{"y", y}, {"x", place}, {"x2", {{"field", to}}}};
    if (!mark.contains("color")) encoding["color"] = color;
    encoding["tooltip"] = tooltip(
        {{"label", "what"}, {"from", "from (tokens)"}, {"low", "95 % low"}, {"high", "95 % high"}});
    return json{{"transform", {{{"filter", fmt::format("isValid(datum.{})", from)}}}},
                {"mark", mark},
                {"encoding", encoding}};
  };
  json chart = base();
  chart["height"] = {{"step", 24}};
  chart["data"] = {{"values", rows}};
  chart["layer"] = {
      layer(
          "first", "last",
          {{"type", "bar"}, {"height", {{"band", 0.12}}}, {"color", "#9ca3af"}, {"opacity", 0.45}}),
      layer("from", "last", {{"type", "bar"}, {"height", {{"band", 0.62}}}, {"opacity", 1}}),
      layer("low", "high", {{"type", "rule"}, {"strokeWidth", 3}, {"color", "#6b7280"}})};
  return chart;
}

}  // namespace lavo::report
