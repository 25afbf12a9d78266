// SPDX-License-Identifier: MIT
// The verdicts on what varies, once every row is known.
#include <algorithm>
#include <cmath>

#include "lavo/core/check.h"
#include "reports/compare/compare_rows.h"
#include "reports/compare/verdict_statistics.h"

namespace lavo::compare {
namespace {

constexpr double kSeededTolerance = 1e-6;  // relative: what the order of a sum may change

/// How many more blocks would probably tell on which side of the margin the change lies.
std::string more_blocks(const TimedChange& change, double log_margin, size_t blocks) {
  const double half = (change.high - change.low) / 2;
  const double distance = std::abs(std::abs(change.judged) - log_margin);
  const double more = static_cast<double>(blocks) * (std::pow(half / distance, 2) - 1);
  if (!(more < 100)) return "more than 100 further blocks needed";
  return fmt::format("about {:.0f} further blocks needed", std::max(1.0, std::ceil(more)));
}

/// Two questions, each with its own share of false answers: what got worse, what got better.
std::vector<Chances> rates_of(const std::vector<Chances>& p) {
  std::vector<double> worse, better;
  for (const Chances& each : p) {
    worse.push_back(each.worse);
    better.push_back(each.better);
  }
  worse = false_discovery_rates(worse);
  better = false_discovery_rates(better);
  std::vector<Chances> rates;
  for (size_t i = 0; i < p.size(); ++i) rates.push_back({worse[i], better[i]});
  return rates;
}

}  // namespace

void RowMaker::judge_timed(Timed& timed, const TimedChange& change, Chances rates) {
  Row& row = timed.row;
  const size_t blocks = std::min(timed.samples.base.size(), timed.samples.next.size());
  double margin = timed.limits.margin * (change.by_samples ? 2 : 1);
  if (*row.base > 0) margin = std::max(margin, timed.limits.floor / *row.base);
  row.margin = margin;
  if (!change.testable) {
    row.verdict = Verdict::kInconclusive;
    row.reason = blocks == 0 ? "not above 0: a ratio means nothing"
                             : "one sample: nothing says how much it varies";
    return;
  }
  row.ratio = std::exp(timed.sign * change.judged);
  row.interval = {std::exp(timed.sign * change.low), std::exp(timed.sign * change.high)};
  if (timed.sign < 0) std::swap(row.interval->low, row.interval->high);
  row.false_discovery_rate = std::min(rates.worse, rates.better);
  const double limit = std::log1p(margin);
  const double level = options_.policy.false_discovery_rate;
  if (change.low > limit && rates.worse < level) {
    row.verdict = Verdict::kSlower;
  } else if (change.high < -limit && rates.better < level) {
    row.verdict = Verdict::kFaster;
  } else if (change.low >= -limit && change.high <= limit) {
    const bool moved = change.raw_low > limit || change.raw_high < -limit;
    row.verdict = moved ? Verdict::kInconclusive : Verdict::kSame;
    if (moved) row.reason = "moved, but only as all cells of the sweep did";
  } else {
    row.verdict = Verdict::kInconclusive;
    row.reason = change.by_samples ? "fewer than 3 blocks" : more_blocks(change, limit, blocks);
  }
}

void RowMaker::test_seeded(Seeded& group) {
  Row& row = group.row;
  row.base = mean(group.base);
  row.next = mean(group.next);
  row.ratio = *row.base == 0 ? std::nullopt : std::optional(*row.next / *row.base);
  const double tolerance = group.limits.tolerance.value_or(kSeededTolerance);
  bool equal = true;
  for (size_t i = 0; i < group.base.size(); ++i)
    equal &= std::abs(group.next[i] - group.base[i]) <= tolerance * std::abs(group.base[i]);
  if (equal) return;
  if (group.base.size() < 2) {
    row.verdict = Verdict::kInconclusive;
    row.reason = "one seed: only an equal value can be called the same";
    return;
  }
  group.test = welch_test(group.base, group.next);
}

void RowMaker::judge_seeded(Seeded& group, Chances rates) {
  Row& row = group.row;
  const double scale = std::abs(*row.base);
  const double allowed = std::max(group.limits.margin * scale, group.limits.floor);
  const double growth = group.sign * group.test->difference;
  const double level = options_.policy.false_discovery_rate;
  row.reason = fmt::format("{} seeds", group.base.size());
  row.margin = group.limits.margin;
  row.false_discovery_rate = std::min(rates.worse, rates.better);
  if (*row.base > 0) row.interval = {1 + group.test->low / scale, 1 + group.test->high / scale};
  if (growth > allowed && rates.worse < level) {
    row.verdict = Verdict::kWorse;
  } else if (growth < -allowed && rates.better < level) {
    row.verdict = Verdict::kBetter;
  } else if (group.test->low < -allowed || group.test->high > allowed) {
    row.verdict = Verdict::kInconclusive;
  }
}

void RowMaker::finish(Comparison& result) {
  std::vector<TimedPair> pairs;
  for (const Timed& timed : timed_) pairs.push_back(timed.samples);
  TimedChanges changes = timed_changes(std::move(pairs), options_.side_by_side);

  std::vector<Chances> p;  // of every row in which chance has a part
  for (const TimedChange& change : changes.cells) p.push_back({change.p_worse, change.p_better});
  for (auto& [key, group] : seeded_) {
    test_seeded(group);
    if (!group.test) continue;
    const Chances up{group.test->p_greater, group.test->p_less};
    p.push_back(group.sign > 0 ? up : Chances{up.better, up.worse});
  }
  const std::vector<Chances> rates = rates_of(p);
  auto rate = rates.begin();
  for (size_t i = 0; i < timed_.size(); ++i) {
    judge_timed(timed_[i], changes.cells[i], *rate++);
    by_samples_ += changes.cells[i].by_samples && changes.cells[i].testable;
    push(timed_[i].row, timed_[i].limits);
  }
  for (auto& [key, group] : seeded_) {
    if (group.test) judge_seeded(group, *rate++);
    push(group.row, group.limits);
  }

  add_means(result, changes.cells);
  result.shifts = std::move(changes.shifts);
  add_notes(result);
  std::ranges::sort(rows_, {}, [](const Row& row) {
    const double size = row.ratio.value_or(0) > 0 ? std::abs(std::log(*row.ratio)) : 1e300;
    return std::tuple(!row.fails, row.verdict, -size, row.cell, row.metric);
  });
  result.other_units = other_units_;
  result.rows = std::move(rows_);
}

void RowMaker::add_means(Comparison& result, const std::vector<TimedChange>& changes) const {
  std::map<std::string, std::vector<size_t>> timing;
  for (size_t i = 0; i < timed_.size(); ++i) {
    if (changes[i].testable) timing[timed_[i].row.metric].push_back(i);
  }
  for (const auto& [metric, cells] : timing) {
    double sum = 0;
    std::vector<double> draws(changes[cells.front()].draws.size());
    for (const size_t i : cells) {
      sum += timed_[i].sign * changes[i].log_ratio;
      for (size_t d = 0; d < draws.size(); ++d) draws[d] += timed_[i].sign * changes[i].draws[d];
    }
    const auto count = static_cast<double>(cells.size());
    std::ranges::sort(draws);
    const Interval interval{std::exp(draws[draws.size() / 40] / count),
                            std::exp(draws[draws.size() - 1 - draws.size() / 40] / count)};
    result.means.push_back({metric, cells.size(), std::exp(sum / count), interval});
  }
  std::map<std::string, std::pair<double, size_t>> exact;
  for (const Row& row : rows_) {
    if (row.kind != Kind::kExact || !row.base || !row.next || *row.base <= 0 || *row.next <= 0)
      continue;
    exact[row.metric].first += std::log(*row.next / *row.base);
    ++exact[row.metric].second;
  }
  for (const auto& [metric, total] : exact) {
    const auto& [sum, cells] = total;
    result.means.push_back(
        {metric, cells, std::exp(sum / static_cast<double>(cells)), std::nullopt});
  }
}

void RowMaker::add_notes(Comparison& result) const {
  for (const SharedShift& shift : result.shifts) {
    const double change = std::expm1(shift.log_ratio);
    if (std::abs(change) < 0.01) continue;
    const std::string why =
        shift.taken_off
            ? fmt::format("the machine's drift can explain it (p = {:.2g}), so it was taken off{}",
                          shift.p,
                          options_.side_by_side ? "" : "; --run measures both side by side")
            : "more than the machine's drift explains, so it is part of each change";
    result.notes.push_back(fmt::format("{}: all {} cells got {:.1f} % {} together: {}", shift.sweep,
                                       shift.cells, std::abs(change) * 100,
                                       change > 0 ? "worse" : "better", why));
  }
  if (by_samples_ > 0) {
    result.notes.push_back(
        fmt::format("{} rows have fewer than 3 blocks: samples stand in for them, and the margin "
                    "is doubled",
                    by_samples_));
  }
  for (size_t i = 0; i < options_.policy.rules.size(); ++i) {
    if (!used_rules_.at(i))
      result.notes.push_back(options_.policy.rules[i].place + ": this rule matches nothing");
  }
}

}  // namespace lavo::compare
