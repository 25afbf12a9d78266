// SPDX-License-Identifier: MIT
#include "reports/page/charts/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/page/charts/palette.h"
#include "reports/page/roles.h"

namespace lavo::report {
namespace {

constexpr int kWidth = 640;
constexpr int kHeight = 360;
constexpr auto kTokenLabel =
    "datum.value >= 1048576 ? format(datum.value / 1048576, '~r') + 'M' : "
    "datum.value >= 1024 ? format(datum.value / 1024, '~r') + 'K' : format(datum.value, '~r')";

constexpr auto kNumberLabel =
    "datum.value < 0.001 ? format(datum.value, '.2~e') : format(datum.value, '.12~r')";

}  // namespace

json base() {
  return {{"$schema", "https://vega.github.io/schema/vega-lite/v5.json"},
          {"width", kWidth},
          {"height", kHeight},
          {"background", "white"},
          {"config",
           {{"font", "Helvetica, Arial, sans-serif"},
            {"view", {{"stroke", nullptr}}},
            {"axis",
             {{"labelFontSize", 12},
              {"titleFontSize", 12},
              {"titleFontWeight", 500},
              {"titlePadding", 8},
              {"gridColor", "#e5e7eb"},
              {"domainColor", "#9ca3af"},
              {"tickColor", "#9ca3af"},
              {"labelColor", "#374151"},
              {"titleColor", "#374151"}}},
            {"legend",
             {{"orient", "bottom"},
              {"labelFontSize", 12},
              {"labelLimit", 420},
              {"symbolStrokeWidth", 2},
              {"symbolOpacity", 1},
              {"symbolSize", 80},
              {"labelColor", "#374151"},
              {"title", nullptr}}}}}};
}

bool fits(double value, const AxisSpec& axis) {
  return std::isfinite(value) && (axis.scale == Scale::kLinear || value > 0);
}

namespace {

/// Powers of two from the smallest to the largest value, thinned to at most 10.
std::vector<double> binary_ticks(double low, double high) {
  std::vector<double> ticks;
  const int first = static_cast<int>(std::ceil(std::log2(low) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log2(high) + 1e-9));
  const int step = std::max(1, (last - first + 10) / 10);
  for (int i = first; i <= last; i += step) ticks.push_back(std::exp2(i));
  return ticks;
}

/// 1, 10, 100 between the values, or 1, 2, 5, 10 or more of them: the first that gives three.
std::vector<double> decimal_ticks(double low, double high) {
  std::vector<double> ticks;
  for (const auto& steps : {std::vector<double>{1}, std::vector<double>{1, 2, 5},
                            std::vector<double>{1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9}}) {
    ticks.clear();
    for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10) {
      for (const double step : steps) {
        if (step * power >= low && step * power <= high) ticks.push_back(step * power);
      }
    }
    if (ticks.size() >= 3) break;
  }
  return ticks;
}

}  // namespace

json channel(const std::string& name, const AxisSpec& spec, const std::vector<double>& values) {
  json axis = {{"title", spec.title}, {"labelFlush", true}, {"tickCount", 8}};
  json scale = {{"zero", false}};
  if (spec.scale != Scale::kLinear && !values.empty()) {
    const auto [least, most] = std::ranges::minmax(values);
    // Room around the points, but none where the axis ends with what was measured.
    const double room = spec.scale == Scale::kTokens ? 1 : 1.25;
    const double low = least / room, high = std::max(most * room, low * 2);
    scale = {{"type", "log"},
             {"base", spec.scale == Scale::kTokens ? 2 : 10},
             {"nice", false},
             {"domain", {low, high}}};
    if (spec.scale == Scale::kTokens) {
      axis["labelExpr"] = kTokenLabel;
      axis["values"] = binary_ticks(low, high);
    } else {
      axis["labelExpr"] = kNumberLabel;
      axis["values"] = decimal_ticks(low, high);
    }
  }
  return {{"field", name}, {"type", "quantitative"}, {"axis", axis}, {"scale", scale}};
}

namespace {

std::string mix(const std::string& color, int with, double share) {
  std::string mixed = "#";
  for (size_t i = 1; i < 7; i += 2) {
    const int part = std::stoi(color.substr(i, 2), nullptr, 16);
    mixed += fmt::format("{:02X}", static_cast<int>(part + share * (with - part)));
  }
  return mixed;
}

}  // namespace

Look::Look(const std::vector<std::pair<std::string, std::string>>& labels, std::string field)
    : field_(std::move(field)) {
  for (const auto& [label, mechanism] : labels) {
    if (label == mechanism) add(label, mechanism);
  }
  for (const auto& [label, mechanism] : labels) add(label, mechanism);
}

void Look::add(const std::string& label, const std::string& mechanism) {
  static const std::vector<std::vector<int>> kDashes = {{1, 0}, {7, 3}, {2, 2}, {9, 3, 2, 3}};
  static const std::vector<std::string> kShapes = {"circle",  "square", "triangle-up",
                                                   "diamond", "cross",  "triangle-down"};
  if (std::ranges::find(labels_, label) != labels_.end()) return;
  const auto variant = static_cast<size_t>(variants_[mechanism]++);
  const Ink ink = ink_of(mechanism);
  labels_.push_back(label);
  const double share = 0.22 * static_cast<double>((variant + 1) / 2 % 4);
  colors_.push_back(mix(ink.color, variant % 2 == 1 ? 255 : 0, share));
  dashes_.push_back(kDashes[(variant + ink.lap) % kDashes.size()]);
  shapes_.push_back(
      kShapes[(variant + ink.lap + (mechanism == kSubject ? 3 : 0)) % kShapes.size()]);
}

json Look::channel(const json& range, const json& legend) const {
  return {{"field", field_},
          {"type", "nominal"},
          {"scale", {{"domain", labels_}, {"range", range}}},
          {"legend", legend}};
}

size_t Look::columns() const {
  size_t longest = 1;
  for (const std::string& label : labels_) longest = std::max(longest, label.size());
  return std::max<size_t>(1, kWidth / (7 * longest + 34));  // pixels: a letter, a symbol and a gap
}

json Look::color() const { return channel(colors_, nullptr); }
json Look::color_with_legend() const {
  return channel(colors_, {{"title", nullptr}, {"columns", columns()}});
}
json Look::dash() const { return channel(dashes_, nullptr); }
json Look::shape() const { return channel(shapes_, {{"title", nullptr}, {"columns", columns()}}); }
json own_legends() { return {{"legend", {{"color", "independent"}, {"shape", "independent"}}}}; }

json legend_pick(const std::string& field) {
  return {
      {"name", "pick"}, {"select", {{"type", "point"}, {"fields", {field}}}}, {"bind", "legend"}};
}
json faded(double full, double faint) {
  return {{"condition", {{"param", "pick"}, {"value", full}}}, {"value", faint}};
}

json rule_layers(const std::vector<Rule>& rules, const AxisSpec& x, const std::vector<double>& xs) {
  json layers = json::array();
  for (const Rule& rule : rules) {
    if (!fits(rule.at, x)) continue;
    const json data = {{"values", {{{"at", rule.at}, {"rule", rule.label}}}}};
    const json place = {{"x", {{"field", "at"}, {"type", "quantitative"}}}};
    layers.push_back({{"data", data},
                      {"mark", {{"type", "rule"}, {"strokeDash", {4, 4}}, {"color", "#6b7280"}}},
                      {"encoding", place}});
    // Near the right edge the name stands to the left of its line.
    const auto [low, high] = std::ranges::minmax(xs);
    const bool right = rule.at > low + 0.8 * (high - low);
    json text = place;
    text["text"] = {{"field", "rule"}};
    layers.push_back({{"data", data},
                      {"mark",
                       {{"type", "text"},
                        {"align", right ? "right" : "left"},
                        {"dx", right ? -4 : 4},
                        {"y", 8 + 14 * static_cast<int>(layers.size() / 2)},
                        {"fontSize", 11},
                        {"color", "#6b7280"}}},
                      {"encoding", text}});
  }
  return layers;
}

json tooltip(const std::vector<std::pair<std::string, std::string>>& fields) {
  json list = json::array();
  for (const auto& [field, title] : fields) {
    json entry = {{"field", field}, {"title", title}};
    if (field != "label" && field != "note")
      entry.update({{"type", "quantitative"}, {"format", ".4~g"}});
    list.push_back(entry);
  }
  return list;
}

json titled(json chart, const std::string& title) {
  chart["title"] = {{"text", title},     {"anchor", "start"}, {"fontSize", 14},
                    {"fontWeight", 600}, {"offset", 12},      {"color", "#1f2937"}};
  return chart;
}

}  // namespace lavo::report
