// SPDX-License-Identifier: MIT
#include "reports/page/models.h"

#include <algorithm>
#include <limits>
#include <map>

#include "reports/page/roles.h"
#include "reports/page/seeds.h"

namespace lavo::report {
namespace {

constexpr auto kLayer = "layer";  ///< sets further axes, the same for all mechanisms

/// Axes that make a variant; every other one is a setting that models must share.
std::set<std::string> variant_axes(const Cells& cells) {
  std::set<std::string> axes = option_names(cells);
  axes.insert({"mechanism", "position_encoding", "seed"});
  return axes;
}

/// Whether cells that agree in one axis agree in the other: naming both would say it twice.
bool determines(const Cells& cells, const std::string& one, const std::string& other) {
  std::map<json, std::set<json>> values;
  for (const Cell* cell : cells) values[cell->axis(one)].insert(cell->axis(other));
  return std::ranges::all_of(values, [](const auto& seen) { return seen.second.size() == 1; });
}

std::optional<double> floor_of(const Cells& cells, const std::string& metric) {
  for (const Cell* cell : cells) {  // all have scored the same text
    if (const Metric* floor = cell->metric(metric)) return floor->value;
  }
  return std::nullopt;
}

double bits(const Variant& row) {
  const auto estimate = over_seeds(row.cells, "bits_per_byte");
  return estimate ? estimate->value : std::numeric_limits<double>::infinity();
}

void add_groups(const Results& results, const Cells& cells, const std::string& name,
                const std::string& description, std::vector<ModelGroup>& groups) {
  const std::set<std::string> own = variant_axes(cells);
  std::set<std::string> settings;
  for (const Cell* cell : cells) {
    for (const auto& [axis, value] : cell->axes.items()) {
      if (!own.contains(axis)) settings.insert(axis);
    }
  }
  const std::set<std::string> varying = varying_axes(cells);
  std::vector<std::string> shared, named;
  for (const std::string& axis : settings)
    (varying.contains(axis) ? named : shared).push_back(axis);
  if (varying.contains(kLayer)) {
    std::erase_if(named, [&](const std::string& axis) {
      return axis != kLayer && determines(cells, kLayer, axis);
    });
  }
  std::set<std::string> apart = settings;
  apart.insert("seed");
  for (const auto& [key, part] : split(cells, named)) {
    ModelGroup group;
    group.title = capitalised(name);
    group.description = description;
    if (!named.empty()) group.title += ": " + describe(*part.front(), named);
    group.settings = describe(*part.front(), shared);
    group.origin = origin_of(results, part, named);
    if (const json context = part.front()->axis("context"); context.is_number())
      group.context = context;
    group.rows = variants(part, apart);
    std::ranges::stable_sort(group.rows, {}, bits);
    group.order1 = floor_of(part, "order1_bits_per_byte");
    group.order2 = floor_of(part, "order2_bits_per_byte");
    groups.push_back(std::move(group));
  }
}

}  // namespace

size_t ModelGroup::mechanisms() const {
  std::set<std::string> names;
  for (const Variant& row : rows) names.insert(row.mechanism);
  return names.size();
}

const Variant* ModelGroup::subject() const {
  const Variant* first = nullptr;
  for (const Variant& row : rows) {
    if (row.label == kSubject) return &row;
    if (row.mechanism == kSubject && !first) first = &row;
  }
  return first;
}

bool ModelGroup::is_untrained(const Variant& row) const { return order2 && bits(row) >= *order2; }

std::vector<ModelGroup> model_groups(const Results& results) {
  std::vector<ModelGroup> groups;
  std::set<std::string> planned;
  const auto is_model = [](const Cell& cell) {
    return cell.ok() && cell.experiment == "language_model" && cell.metric("bits_per_byte");
  };
  for (const Sweep& sweep : results.sweeps) {
    const Cells cells = select(
        results, [&](const Cell& cell) { return is_model(cell) && sweep.ids.contains(cell.id); });
    for (const Cell* cell : cells) planned.insert(cell->id);
    if (!cells.empty()) add_groups(results, cells, sweep.name, sweep.description, groups);
  }
  const Cells others = select(
      results, [&](const Cell& cell) { return is_model(cell) && !planned.contains(cell.id); });
  if (!others.empty()) add_groups(results, others, "language models", "", groups);
  return groups;
}

}  // namespace lavo::report
