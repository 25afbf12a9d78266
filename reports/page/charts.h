// SPDX-License-Identifier: MIT
// Vega-Lite specifications. Each is one view with its data inside, so that it can be drawn in the
// page, by vl-convert, or in any notebook. Values that a logarithmic axis cannot show are left out.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lavo::report {

using json = nlohmann::json;

enum class Scale { kLinear, kLog, kTokens };  ///< kTokens: logarithmic, base 2, labelled 1K, 2K

struct AxisSpec {
  std::string title;  ///< with the unit: "time (ms)"
  Scale scale = Scale::kLinear;
};

struct ChartPoint {
  double x;
  double y;
  std::optional<std::pair<double, double>> interval = {};  ///< of y
};

/// `mechanism` chooses the colour, the same one in every figure; variants of one mechanism differ
/// in shade, dash and shape.
struct Curve {
  std::string label;
  std::string mechanism;
  std::vector<ChartPoint> points;
};

/// A line across the chart at one value, with its name: the trained length, an n-gram's loss.
struct Rule {
  double at;
  std::string label;
};

/// Curves with interval bands; `rules` are vertical. `dots`: marks each point.
json line_chart(const AxisSpec& x, const AxisSpec& y, const std::vector<Curve>& curves,
                const std::vector<Rule>& rules = {}, bool dots = true);

struct Bar {
  std::string label;
  std::string mechanism;
  double value;
  std::optional<std::pair<double, double>> interval = {};
  std::string note = {};  ///< beside the value: "not trained"
};

/// Horizontal bars from zero with intervals, in the given order. On a logarithmic axis, and where
/// `dots` asks for it, points: a bar would need a zero. `rules` are vertical.
json bar_chart(const AxisSpec& x, const std::vector<Bar>& bars, const std::vector<Rule>& rules = {},
               bool dots = false);

/// The part of the x axis where something holds: nothing where `from` is unset.
struct Range {
  std::string label;
  std::string mechanism;
  double low, high;                                        ///< what was measured
  std::optional<double> from = {};                         ///< holds from here to `high`
  std::optional<std::pair<double, double>> interval = {};  ///< of `from`
};
/// Horizontal bars over the parts, a faint one over what was measured.
json range_chart(const AxisSpec& x, const std::vector<Range>& ranges);

struct HeatCell {
  json x;
  json y;
  double value;
  std::string text;  ///< written into the cell
};
/// Each cell says its value: there is no legend.
json heat_map(const std::string& x_title, const std::string& y_title,
              const std::vector<HeatCell>& cells);

struct ScatterPoint {
  std::string label;
  std::string mechanism;
  double x;
  double y;
  std::optional<std::pair<double, double>> interval = {};  ///< of y
  bool named = false;                                      ///< its label is written beside it
};
/// The legend says which colour is which mechanism.
json scatter_chart(const AxisSpec& x, const AxisSpec& y, const std::vector<ScatterPoint>& points);

/// The chart with a title over it, for a picture that stands alone.
json titled(json chart, const std::string& title);

}  // namespace lavo::report
