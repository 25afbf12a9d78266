// SPDX-License-Identifier: MIT
#include "reports/compare/gate.h"

#include <fnmatch.h>

#include <algorithm>
#include <map>

#include "lavo/core/check.h"
#include "reports/records/cell_name.h"

namespace lavo::compare {
namespace {

bool glob_matches(const std::string& pattern, const std::string& text) {
  return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

bool value_matches(const nlohmann::json& wanted, const nlohmann::json& value) {
  if (wanted.is_string()) return glob_matches(wanted.get<std::string>(), axis_text(value));
  return wanted == value;
}

/// Two clock ticks of any clock in use, so that a percentage of next to nothing is no verdict.
double default_floor(const Row& row) {
  if (row.kind != Kind::kTiming) return 0;
  static const std::map<std::string, double> microsecond = {
      {"s", 1e-6}, {"ms", 1e-3}, {"us", 1}, {"ns", 1e3}};
  const auto found = microsecond.find(row.unit);
  return found == microsecond.end() ? 0 : found->second;
}

}  // namespace

bool Rule::matches(const Row& row) const {
  if (kind && *kind != row.kind) return false;
  if (metric && !glob_matches(*metric, row.metric)) return false;
  const auto matches_name = [&](const std::string& glob) { return glob_matches(glob, row.cell); };
  if (!cells.empty() && std::ranges::none_of(cells, matches_name)) return false;
  return std::ranges::all_of(axes, [&](const auto& axis) {
    const auto found = row.axes.find(axis.first);
    return found != row.axes.end() &&
           std::ranges::any_of(axis.second, [&](const nlohmann::json& wanted) {
             return value_matches(wanted, *found);
           });
  });
}

Limits limits_for(const Policy& policy, const Row& row, std::vector<bool>& used) {
  Limits limits{.floor = default_floor(row), .fail_on = policy.fail_on};
  double margin = row.kind == Kind::kTiming ? 0.03 : row.kind == Kind::kSeeded ? 0.005 : 0;
  double noise = 0;
  used.resize(policy.rules.size());
  for (size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    if (!rule.matches(row)) continue;
    used[i] = true;
    if (rule.margin) margin = *rule.margin;
    if (rule.noise) noise = *rule.noise;
    if (rule.floor) limits.floor = *rule.floor;
    if (rule.tolerance) limits.tolerance = rule.tolerance;
    if (rule.fail_on) limits.fail_on = *rule.fail_on;
    if (rule.ignore) limits.ignore = *rule.ignore;
  }
  limits.margin = std::max(margin, noise);
  if (policy.warn_above_noise && noise > *policy.warn_above_noise)
    limits.fail_on.erase(Verdict::kSlower);
  return limits;
}

}  // namespace lavo::compare
