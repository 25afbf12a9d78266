// SPDX-License-Identifier: MIT
// Pieces that every chart is made of.
#pragma once

#include <map>

#include "reports/page/charts.h"

namespace lavo::report {

/// Size, fonts and colours; no data yet.
json base();

/// Whether an axis can show the value.
bool fits(double value, const AxisSpec& axis);

/// A position channel for field `name`, scaled and ticked for the values that it will hold.
json channel(const std::string& name, const AxisSpec& spec, const std::vector<double>& values);

/// How labels look: the mechanism gives the colour, its further variants shades, dashes and shapes.
class Look {
 public:
  /// Pairs of label and mechanism. A mechanism's usual variant, labelled by its name alone, gets
  /// the plain colour, a solid line and the first shape. `field` of the data holds the label.
  explicit Look(const std::vector<std::pair<std::string, std::string>>& labels,
                std::string field = "label");
  json color() const;  ///< without a legend of its own, as dash()
  json dash() const;
  json shape() const;
  /// color() with the legend, in the layer whose symbols it shows.
  json color_with_legend() const;

 private:
  void add(const std::string& label, const std::string& mechanism);
  json channel(const json& range, const json& legend) const;
  size_t columns() const;  ///< of the legend, so that its longest label fits
  std::string field_;
  std::vector<std::string> labels_, colors_, shapes_;
  std::vector<std::vector<int>> dashes_;
  std::map<std::string, int> variants_;
};

template <class Labelled>
std::vector<std::pair<std::string, std::string>> labels_of(const std::vector<Labelled>& list) {
  std::vector<std::pair<std::string, std::string>> labels;
  for (const Labelled& each : list) labels.emplace_back(each.label, each.mechanism);
  return labels;
}

/// Keeps the legend of the layer whose symbols it shows from merging with those of other layers.
json own_legends();

/// A click on a legend entry fades the others: the parameter, and an opacity that follows it.
json legend_pick(const std::string& field = "label");
json faded(double full, double faint);

/// Layers of vertical lines with their names; `xs`: every value on the axis.
json rule_layers(const std::vector<Rule>& rules, const AxisSpec& x, const std::vector<double>& xs);

/// Pairs of field and title; numbers are shown with four digits.
json tooltip(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace lavo::report
