// SPDX-License-Identifier: MIT
#include "reports/compare/verdict_timing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <tuple>

#include "reports/compare/verdict_statistics.h"
#include "reports/records/statistics.h"

namespace lavo::compare {
namespace {

constexpr size_t kFewestBlocks = 3;
constexpr size_t kFewestCells = 10;    // from here on a sweep says what is typical
constexpr double kPriorFreedom = 4;    // as many as three blocks and three blocks have
constexpr double kShiftLevel = 0.002;  // of one test for a whole sweep: when it errs, all cells do
constexpr int kDraws = 1000;

struct Moments {
  double difference = 0;  // of the means of block medians
  double variance = 0;    // of one block
  double freedom = 0;
  double weight = 0;  // variance of the difference / variance of one block
};

std::vector<double> medians(const Blocks& blocks) {
  std::vector<double> result;
  for (const auto& block : blocks) result.push_back(median(block));
  return result;
}

std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> result;
  for (size_t i = 0; i < a.size(); ++i) result.push_back(b[i] - a[i]);
  return result;
}

/// Of trimmed differences (Yuen 1974): one pair during which the machine changed its clock says
/// nothing of the others. The sixth that is left out at each end counts as the next one inside.
Moments paired_moments(std::vector<double> d) {
  const size_t trimmed = d.size() / 6;
  const auto n = static_cast<double>(d.size()), kept = n - 2 * static_cast<double>(trimmed);
  std::ranges::sort(d);
  const std::vector<double> inner(d.begin() + static_cast<std::ptrdiff_t>(trimmed),
                                  d.end() - static_cast<std::ptrdiff_t>(trimmed));
  for (double& x : d) x = std::clamp(x, inner.front(), inner.back());
  return {mean(inner), squared_deviations(d) / (kept - 1), kept - 1, 1 / kept};
}

Moments moments(const std::vector<double>& base, const std::vector<double>& next, bool paired) {
  if (paired) return paired_moments(differences(base, next));
  const auto n = static_cast<double>(base.size()), m = static_cast<double>(next.size());
  return {mean(next) - mean(base),
          (squared_deviations(base) + squared_deviations(next)) / (n + m - 2), n + m - 2,
          1 / n + 1 / m};
}

/// P of a difference at least as large when there is none.
double tail(double difference, double variance, const Moments& m) {
  if (variance <= 0) return difference > 0 ? 0 : 1;
  return student_t_tail(difference / std::sqrt(variance * m.weight), m.freedom);
}

double pooled_median(const Blocks& blocks, const std::vector<size_t>& drawn,
                     std::vector<double>& pool) {
  pool.clear();
  for (const size_t i : drawn) pool.insert(pool.end(), blocks[i].begin(), blocks[i].end());
  const auto middle = pool.begin() + static_cast<std::ptrdiff_t>(pool.size() / 2);
  std::nth_element(pool.begin(), middle, pool.end());
  if (pool.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(pool.begin(), middle)) / 2;
}

/// The blocks of each draw. The same for every cell with as many blocks: block i of all cells was
/// measured at the same time, and a mean over cells must keep that.
const std::vector<std::vector<size_t>>& draws_of(size_t blocks, uint64_t seed) {
  static std::map<std::pair<size_t, uint64_t>, std::vector<std::vector<size_t>>> made;
  auto& draws = made[{blocks, seed}];
  if (draws.empty()) {
    std::mt19937_64 random(seed);
    draws.assign(kDraws, std::vector<size_t>(blocks));
    for (auto& draw : draws) {
      for (size_t& i : draw) i = random() % blocks;
    }
  }
  return draws;
}

std::vector<double> bootstrap_of_pairs(const std::vector<double>& d) {
  std::vector<double> result, drawn(d.size());
  for (const auto& draw : draws_of(d.size(), 1)) {
    std::ranges::transform(draw, drawn.begin(), [&](size_t i) { return d[i]; });
    result.push_back(median(drawn));
  }
  return result;
}

std::vector<double> bootstrap(const TimedPair& pair, bool paired) {
  if (paired) return bootstrap_of_pairs(differences(medians(pair.base), medians(pair.next)));
  const auto& base = draws_of(pair.base.size(), 1);
  const auto& next = draws_of(pair.next.size(), 2);
  std::vector<double> result, pool;
  for (size_t i = 0; i < kDraws; ++i) {
    result.push_back(pooled_median(pair.next, next[i], pool) -
                     pooled_median(pair.base, base[i], pool));
  }
  return result;
}

double log_ratio(const TimedPair& pair, bool paired) {
  if (paired) return median(differences(medians(pair.base), medians(pair.next)));
  const auto all = [](const Blocks& blocks) {
    std::vector<double> flat;
    for (const auto& block : blocks) flat.insert(flat.end(), block.begin(), block.end());
    return median(std::move(flat));
  };
  return all(pair.next) - all(pair.base);
}

void judge(const TimedPair& pair, bool paired, std::vector<double> draws, TimedChange& change) {
  std::ranges::sort(draws);
  change.judged = log_ratio(pair, paired);
  change.low = draws[static_cast<size_t>(0.025 * (kDraws - 1))];
  change.high = draws[static_cast<size_t>(std::ceil(0.975 * (kDraws - 1)))];
}

void split_into_samples(Blocks& blocks) {
  Blocks samples;
  for (const auto& block : blocks) {
    for (const double sample : block) samples.push_back({sample});
  }
  blocks = std::move(samples);
}

/// Cells of one sweep with equally many blocks: what they have in common can be told apart.
struct Group {
  std::vector<TimedPair*> pairs;
  std::vector<TimedChange*> changes;
  bool paired = false;
};

/// What block i has in common over the cells, above each cell's own mean.
std::vector<double> common(const std::vector<std::vector<double>>& cells) {
  std::vector<double> result;
  for (size_t i = 0; i < cells.front().size(); ++i) {
    std::vector<double> over;
    for (const auto& blocks : cells) over.push_back(blocks[i] - mean(blocks));
    result.push_back(median(std::move(over)));
  }
  return result;
}

void subtract(Blocks& blocks, const std::vector<double>& what, double more) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    for (double& sample : blocks[i]) sample -= what[i] + more;
  }
}

SharedShift take_off_shift(Group& group, const std::string& sweep) {
  std::vector<std::vector<double>> base, next;
  std::vector<double> shifts;
  for (const TimedPair* pair : group.pairs) {
    base.push_back(medians(pair->base));
    next.push_back(medians(pair->next));
    shifts.push_back(mean(next.back()) - mean(base.back()));
    if (group.paired) {
      next.back() = differences(base.back(), next.back());
      std::ranges::fill(base.back(), 0.0);
    }
  }
  const std::vector<double> base_drift = common(base), next_drift = common(next);
  const Moments spread = moments(base_drift, next_drift, group.paired);
  SharedShift shift{.sweep = sweep, .cells = group.pairs.size(), .log_ratio = median(shifts)};
  shift.p = tail(std::abs(shift.log_ratio), spread.variance, spread);
  shift.taken_off = shift.p > kShiftLevel;
  for (size_t i = 0; shift.taken_off && i < group.pairs.size(); ++i) {
    subtract(group.pairs[i]->base, base_drift, 0);
    subtract(group.pairs[i]->next, next_drift, shift.log_ratio);
    judge(*group.pairs[i], group.paired, bootstrap(*group.pairs[i], group.paired),
          *group.changes[i]);
  }
  return shift;
}

void set_p(Group& group) {
  std::vector<Moments> each;
  std::vector<double> variances;
  for (const TimedPair* pair : group.pairs) {
    each.push_back(moments(medians(pair->base), medians(pair->next), group.paired));
    variances.push_back(each.back().variance);
  }
  double typical = 0;
  if (group.pairs.size() >= kFewestCells) {
    const double n = each.front().freedom;
    // A variance is distributed as chi^2 / n; its median by Wilson and Hilferty 1931.
    typical = median(variances) / std::pow(1 - 2 / (9 * n), 3);
  }
  for (size_t i = 0; i < each.size(); ++i) {
    Moments& m = each[i];
    if (m.variance < typical) {
      m.variance = (m.freedom * m.variance + kPriorFreedom * typical) / (m.freedom + kPriorFreedom);
      m.freedom += kPriorFreedom;
    }
    group.changes[i]->p_worse = tail(m.difference, m.variance, m);
    group.changes[i]->p_better = tail(-m.difference, m.variance, m);
  }
}

}  // namespace

TimedChanges timed_changes(std::vector<TimedPair> pairs, bool side_by_side) {
  TimedChanges result;
  result.cells.resize(pairs.size());
  std::map<std::tuple<std::string, size_t, size_t>, Group> groups;
  for (size_t i = 0; i < pairs.size(); ++i) {
    TimedPair& pair = pairs[i];
    TimedChange& change = result.cells[i];
    change.by_samples = std::min(pair.base.size(), pair.next.size()) < kFewestBlocks;
    if (change.by_samples) {
      split_into_samples(pair.base);
      split_into_samples(pair.next);
    }
    if (pair.base.empty() || pair.next.empty()) continue;
    const bool paired = side_by_side && !change.by_samples && pair.base.size() == pair.next.size();
    change.log_ratio = change.judged = log_ratio(pair, paired);
    change.testable = std::min(pair.base.size(), pair.next.size()) >= 2;
    if (!change.testable) continue;
    change.draws = bootstrap(pair, paired);
    judge(pair, paired, change.draws, change);
    change.raw_low = change.low;
    change.raw_high = change.high;
    // Samples as blocks have no common clock: such a cell stands alone.
    const std::string sweep = change.by_samples ? fmt::format("\n{}", i) : pair.sweep;
    Group& group = groups[{sweep, pair.base.size(), pair.next.size()}];
    group.pairs.push_back(&pair);
    group.changes.push_back(&change);
    group.paired = paired;
  }
  for (auto& [key, group] : groups) {
    if (group.pairs.size() >= kFewestCells)
      result.shifts.push_back(take_off_shift(group, std::get<0>(key)));
    set_p(group);
  }
  return result;
}

}  // namespace lavo::compare
