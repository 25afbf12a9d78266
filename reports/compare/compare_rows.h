// SPDX-License-Identifier: MIT
#pragma once

#include "reports/compare/compare.h"
#include "reports/compare/verdict_statistics.h"

namespace lavo::compare {

/// p-values, or false discovery rates, of "it got worse" and of "it got better".
struct Chances {
  double worse = 1, better = 1;
};

/// Collects what is compared, and gives the verdicts when everything is known: whether a change
/// counts depends on how many others were looked at.
class RowMaker {
 public:
  explicit RowMaker(const Options& options)
      : options_(options), used_rules_(options.policy.rules.size()) {}

  /// A row with its verdict, unless the policy ignores it.
  void add(Row row);
  /// The metrics of a cell that is ok in both files.
  void add_metrics(const Cell& base, const Cell& next);
  /// Moves rows, means, shifts and notes into the result.
  void finish(Comparison& result);

 private:
  struct Timed {
    Row row;
    Limits limits;
    double sign;  ///< -1 where higher is better
    TimedPair samples;
  };
  struct Seeded {
    Row row;
    Limits limits;
    double sign;
    std::vector<double> base, next;  ///< by seed
    std::optional<Welch> test = {};  ///< unset: equal, or one seed
  };

  void add_exact(Row row, const Limits& limits, double sign);
  void add_bound(Row row, const Limits& limits, double sign);
  void add_timed(Row row, const Limits& limits, double sign, const Metric& base,
                 const Metric& next);
  void add_seeded(Row row, double sign);
  void push(Row row, const Limits& limits);

  void judge_timed(Timed& timed, const TimedChange& change, Chances rates);
  void test_seeded(Seeded& group);
  void judge_seeded(Seeded& group, Chances rates);
  void add_means(Comparison& result, const std::vector<TimedChange>& changes) const;
  void add_notes(Comparison& result) const;

  const Options& options_;
  std::vector<Row> rows_;
  std::vector<Timed> timed_;
  std::map<std::string, Seeded> seeded_;
  std::vector<bool> used_rules_;
  size_t by_samples_ = 0;
  bool other_units_ = false;
};

}  // namespace lavo::compare
