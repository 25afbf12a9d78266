// SPDX-License-Identifier: MIT
// Two options of one mechanism varied together: bases and window, mix and window.
#include <algorithm>

#include "reports/page/crossing.h"
#include "reports/page/roles.h"
#include "reports/page/sections.h"
#include "reports/page/seeds.h"

namespace lavo::report {
namespace {

/// Cells of one mechanism that differ in two numeric options (and the seed) only, both with two
/// values or more.
struct Grid {
  std::string x, y;
  Cells cells;
};

/// Two values or more of both options, and each pair of them.
bool is_whole(const Cells& cells, const std::string& x, const std::string& y) {
  const size_t columns = split(cells, {x}).size(), rows = split(cells, {y}).size();
  return columns > 1 && rows > 1 && split(cells, {x, y}).size() == columns * rows;
}

/// Those of one sweep where they are a whole grid, which the sweep's command makes again to the
/// bit: another sweep may have measured some of its points with more seeds.
Cells of_one_sweep(const Results& results, const Cells& cells, const std::string& x,
                   const std::string& y) {
  Cells largest;
  for (const Sweep& sweep : results.sweeps) {
    Cells own;
    for (const Cell* cell : cells) {
      if (sweep.ids.contains(cell->id)) own.push_back(cell);
    }
    if (own.size() > largest.size() && is_whole(own, x, y)) largest = own;
  }
  return largest.empty() ? cells : largest;
}

std::vector<Grid> grids(const Results& results, const Cells& cells) {
  // Of all mechanisms of the experiment: without facts, what others lack are options.
  const std::string& experiment = cells.front()->experiment;
  const std::set<std::string> own = option_names(
      select(results, [&](const Cell& cell) { return cell.experiment == experiment; }));
  std::set<std::string> options, all;
  for (const Cell* cell : cells) {
    for (const auto& [axis, value] : cell->axes.items()) {
      all.insert(axis);
      if (own.contains(axis) && value.is_number()) options.insert(axis);
    }
  }
  std::vector<Grid> found;
  for (auto y = options.begin(); y != options.end(); ++y) {
    for (auto x = std::next(y); x != options.end(); ++x) {
      std::vector<std::string> others;
      for (const std::string& axis : all) {
        if (axis != *x && axis != *y && axis != "seed") others.push_back(axis);
      }
      for (const auto& [key, part] : split(cells, others)) {
        if (is_whole(part, *x, *y)) {
          found.push_back({*x, *y, of_one_sweep(results, part, *x, *y)});
        }
      }
    }
  }
  return found;
}

struct MappedQuantity {
  const char *metric, *name;
};
constexpr MappedQuantity kMapped[] = {{"time", "time"},
                                      {"peak_memory", "peak memory"},
                                      {"bits_per_byte", "loss"},
                                      {"perplexity_per_byte", "perplexity per byte"}};

const Cell* fused_like(const Results& results, const Cell& cell) {
  for (const Cell& other : results.cells) {
    if (other.mechanism() != kFused.mechanism || other.experiment != cell.experiment ||
        !other.metric("time"))
      continue;
    const auto same = [&](const char* axis) { return other.axis(axis) == cell.axis(axis); };
    constexpr const char* kShared[] = {"length", "pass",  "causal",   "cross",  "dtype",
                                       "batch",  "heads", "head_dim", "device", "threads"};
    if (std::ranges::all_of(kShared, same)) return &other;
  }
  return nullptr;
}

/// The cell's value in the chart and in its table.
struct Shown {
  double value;
  std::optional<std::pair<double, double>> interval;
  std::string unit;
  By by;
};

void add(Section& section, const Results& results, const Grid& grid, const std::string& where,
         const std::string& name, const std::vector<std::pair<const Cells*, Shown>>& values) {
  if (values.empty()) return;
  std::vector<HeatCell> cells;
  const std::string mechanism = grid.cells.front()->mechanism();
  const std::string title = capitalised(
      fmt::format("{} of {} over {} and {}, {}", name, mechanism, grid.x, grid.y, where));
  Table table{title, {grid.y, grid.x, name}, {}};
  for (const auto& [part, shown] : values) {
    const Cell& cell = *part->front();
    cells.push_back({cell.axis(grid.x), cell.axis(grid.y), shown.value,
                     format_quantity(shown.value, shown.unit)});
    table.rows.push_back(
        {{number(cell.axis(grid.y), "1"), cell.axis(grid.y).get<double>()},
         {number(cell.axis(grid.x), "1"), cell.axis(grid.x).get<double>()},
         {number(shown.value, shown.interval, shown.unit, shown.by), shown.value}});
  }
  section.blocks.push_back(Figure{slug("grid " + title), title, heat_map(grid.x, grid.y, cells),
                                  escape("Everything but these two options is equal."),
                                  origin_of(results, grid.cells, {})});
  section.blocks.push_back(table);
}

}  // namespace

std::vector<Section> heat_maps(const Results& results) {
  Section section{"grids", "Two options together", {}, {}};
  const Cells cells =
      select(results, [](const Cell& cell) { return cell.ok() && !cell.mechanism().empty(); });
  for (const auto& [key, part] : split(cells, {"experiment", "mechanism"})) {
    for (const Grid& grid : grids(results, part)) {
      const Cell& first = *grid.cells.front();
      const bool timed = first.metric("time") != nullptr;
      const std::string where =
          timed ? fmt::format("{} tokens, {}",
                              format_length(first.axis("length").is_number()
                                                ? first.axis("length").get<double>()
                                                : 0),
                              describe(first, {"pass", "causal", "dtype"}))
                : describe(first, {"position_encoding", "context"});
      const auto parts = split(grid.cells, {grid.y, grid.x});
      for (const MappedQuantity& quantity : kMapped) {
        std::vector<std::pair<const Cells*, Shown>> values;
        for (const auto& [at, same] : parts) {
          const auto estimate = over_seeds(same, quantity.metric);
          if (estimate)
            values.push_back({&same,
                              {estimate->value, estimate->interval,
                               same.front()->metric(quantity.metric)->unit, way_of(*estimate)}});
        }
        add(section, results, grid, where, quantity.name, values);
      }
      std::vector<std::pair<const Cells*, Shown>> gains;
      for (const auto& [at, same] : parts) {
        const Cell* fused = fused_like(results, *same.front());
        if (!fused || !same.front()->metric("time")) continue;
        const Estimate gain = ratio(*fused->metric("time"), *same.front()->metric("time"));
        gains.push_back({&same, {gain.value, gain.interval, "x", By::kRatio}});
      }
      add(section, results, grid, where, "speed-up over fused attention", gains);
    }
  }
  if (section.blocks.empty()) return {};
  return {section};
}

}  // namespace lavo::report
