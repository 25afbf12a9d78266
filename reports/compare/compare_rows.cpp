// SPDX-License-Identifier: MIT
#include "reports/compare/compare_rows.h"

#include <algorithm>
#include <cmath>

#include "lavo/core/check.h"
#include "reports/records/cell_name.h"

namespace lavo::compare {
namespace {

constexpr double kBoundGrowth = 2;

/// By blocks, in logarithms; nothing where a value is not above 0.
Blocks logarithms(const Metric& metric, double sign) {
  const std::vector<double> samples =
      metric.samples.empty() ? std::vector{metric.value} : metric.samples;
  if (std::ranges::any_of(samples, [](double x) { return x <= 0; })) return {};
  Blocks blocks;
  auto next = samples.begin();
  // Samples that nobody divided are one block: nothing says that they are independent.
  const std::vector<int64_t> whole = {static_cast<int64_t>(samples.size())};
  for (const int64_t length : metric.blocks.empty() ? whole : metric.blocks) {
    auto& block = blocks.emplace_back();
    for (int64_t i = 0; i < length; ++i) block.push_back(sign * std::log(*next++));
  }
  return blocks;
}

}  // namespace

void RowMaker::push(Row row, const Limits& limits) {
  row.fails = limits.fail_on.contains(row.verdict);
  rows_.push_back(std::move(row));
}

void RowMaker::add(Row row) {
  const Limits limits = limits_for(options_.policy, row, used_rules_);
  if (!limits.ignore) push(std::move(row), limits);
}

void RowMaker::add_metrics(const Cell& base, const Cell& next) {
  const auto start = [&](const std::string& name, const Metric& metric) {
    Row row;
    row.cell = next.name;
    row.axes = next.axes;
    row.experiment = next.experiment;
    row.metric = name;
    row.kind = metric.kind;
    row.unit = metric.unit;
    return row;
  };
  for (const auto& [name, metric] : base.metrics) {
    if (next.metrics.contains(name)) continue;
    Row row = start(name, metric);
    row.verdict = Verdict::kMissing;
    row.base = metric.value;
    add(std::move(row));
  }
  for (const auto& [name, metric] : next.metrics) {
    Row row = start(name, metric);
    row.next = metric.value;
    const auto before = base.metrics.find(name);
    if (before == base.metrics.end()) {
      row.verdict = Verdict::kNew;
      add(std::move(row));
      continue;
    }
    const Metric& old = before->second;
    row.base = old.value;
    if (old.unit != metric.unit || old.kind != metric.kind || old.better != metric.better) {
      row.verdict = Verdict::kIncomparable;
      if (old.unit != metric.unit) row.base_unit = old.unit;
      row.reason = fmt::format("{} in {}, better is {}; then {} in {}, {}", old.kind, old.unit,
                               old.better, metric.kind, metric.unit, metric.better);
      if (limits_for(options_.policy, row, used_rules_).ignore) continue;
      other_units_ = true;
      add(std::move(row));
      continue;
    }
    row.ratio = row.base == 0 ? std::nullopt : std::optional(*row.next / *row.base);
    if (metric.better == Better::kNone) continue;  // neither direction is worse
    const double sign = metric.better == Better::kLower ? 1 : -1;
    if (metric.kind == Kind::kSeeded) {
      add_seeded(std::move(row), sign);
      continue;
    }
    const Limits limits = limits_for(options_.policy, row, used_rules_);
    if (limits.ignore) continue;
    if (metric.kind == Kind::kTiming) {
      add_timed(std::move(row), limits, sign, old, metric);
    } else if (metric.kind == Kind::kExact) {
      add_exact(std::move(row), limits, sign);
    } else {
      add_bound(std::move(row), limits, sign);
    }
  }
}

void RowMaker::add_exact(Row row, const Limits& limits, double sign) {
  const double growth = sign * (*row.next - *row.base);
  const double allowed = std::max(
      limits.floor, std::max(limits.margin, limits.tolerance.value_or(0)) * std::abs(*row.base));
  row.verdict = std::abs(growth) <= allowed ? Verdict::kSame
                : growth > 0                ? Verdict::kWorse
                                            : Verdict::kBetter;
  push(std::move(row), limits);
}

void RowMaker::add_bound(Row row, const Limits& limits, double sign) {
  // Without a tolerance BASE is the scale; where it is 0, only 0 is as good.
  const double limit =
      limits.tolerance.value_or(*row.base * (sign > 0 ? kBoundGrowth : 1 / kBoundGrowth));
  const auto beyond = [&](double value) { return sign * (value - limit) > 0; };
  row.verdict = beyond(*row.next)   ? Verdict::kWorse
                : beyond(*row.base) ? Verdict::kBetter
                                    : Verdict::kSame;
  if (row.verdict != Verdict::kSame) row.reason = fmt::format("the limit is {:g}", limit);
  push(std::move(row), limits);
}

void RowMaker::add_timed(Row row, const Limits& limits, double sign, const Metric& base,
                         const Metric& next) {
  TimedPair samples{row.experiment + " " + row.metric, logarithms(base, sign),
                    logarithms(next, sign)};
  timed_.push_back({std::move(row), limits, sign, std::move(samples)});
}

void RowMaker::add_seeded(Row row, double sign) {
  row.axes.erase("seed");
  row.cell = cell_name(row.experiment, row.axes);
  const Limits limits = limits_for(options_.policy, row, used_rules_);
  if (limits.ignore) return;
  const double base = *row.base, next = *row.next;
  auto [group, first] = seeded_.try_emplace(row.cell + "\n" + row.metric,
                                            Seeded{std::move(row), limits, sign, {}, {}});
  group->second.base.push_back(base);
  group->second.next.push_back(next);
}

}  // namespace lavo::compare
