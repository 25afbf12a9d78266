// SPDX-License-Identifier: MIT
#include "reports/compare/compare_noise.h"

#include <algorithm>
#include <cmath>

#include "lavo/core/check.h"

namespace lavo::compare {
namespace {

double deviation(const Interval& interval) {
  return std::expm1(std::max(std::abs(std::log(interval.low)), std::abs(std::log(interval.high))));
}

/// Never below the level itself, or it would be no floor; the same again when read and written.
std::string rounded_up(double level) {
  return fmt::format("{:.4f}", std::ceil(level * 1e4 - 1e-6) / 1e4);
}

}  // namespace

std::string noise_policy(const Comparison& comparison, const Policy& before) {
  require<InputError>(
      comparison.base_builds == comparison.next_builds,
      "--calibrate: wanted a build against itself; {} and {} are of different builds",
      comparison.base, comparison.next);
  std::map<std::pair<std::string, std::string>, double> noise;
  for (const Rule& rule : before.rules) {
    if (rule.noise && rule.metric && rule.cells.size() == 1)
      noise[{rule.cells.front(), *rule.metric}] = *rule.noise;
  }
  for (const Row& row : comparison.rows) {
    if (row.kind != Kind::kTiming || !row.interval) continue;
    double& floor = noise[{row.cell, row.metric}];
    floor = std::max(floor, deviation(*row.interval));
  }
  require<InputError>(!noise.empty(), "--calibrate: no timing metric was compared");
  std::vector<double> levels;
  for (const auto& [cell, level] : noise) levels.push_back(level);
  std::ranges::sort(levels);
  std::string text = fmt::format(
      "# Noise floor of this machine, by lavo-bench compare --calibrate.\n"
      "calibrated_on = {}\n\n"
      "[[rule]]  # cells that were not measured: what 95 % of the others stay below\n"
      "kind = \"timing\"\nnoise = {}\n",
      json(on_one_line(machine_text(comparison.machine))).dump(),
      rounded_up(levels[(levels.size() * 95 - 1) / 100]));
  for (const auto& [key, level] : noise) {
    text += fmt::format("\n[[rule]]\ncells = {}\nmetric = {}\nnoise = {}\n", json(key.first).dump(),
                        json(key.second).dump(), rounded_up(level));
  }
  return text;
}

}  // namespace lavo::compare
