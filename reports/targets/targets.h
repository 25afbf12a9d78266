// SPDX-License-Identifier: MIT
// The speed and memory that the CPU code is meant to reach, as quotients of cells measured in one
// run: quotients carry over to other machines where times do not.
#pragma once

#include "reports/page/results.h"
#include "reports/records/statistics.h"

namespace lavo::report {

/// What a call is allowed to hold above its inputs: `factor` times as many tensors of the output's
/// size, and `extra_bytes`.
struct Allowance {
  double tensors = 1, factor = 1, extra_bytes = 0;
};

/// scale * metric(above) / metric(below), and its bound. A cell is selected by the values of some
/// axes, which no other measured cell may share.
struct Target {
  std::string what;    ///< "lavo shared, fused, forward, 4K"
  std::string metric;  ///< time, peak_memory, state_bytes
  json above, below = {};
  std::optional<Allowance> allowance = {};  ///< the denominator where `below` is null
  double scale = 1;
  bool at_least = false;  ///< the limit is the least, not the most, that will do
  double limit = 1;
  std::string otherwise = {};  ///< where a cell of a kind that `targets.toml` lacks comes from
};

/// Those of the CPU: float32, causal, 4 heads of 64, 64 bases, windows of 16, 2 threads;
/// experiments/targets.toml measures their cells.
std::vector<Target> cpu_targets();

/// What the harness takes beside what it measures, s for each cell; unset where nobody watched.
Target overhead_target();

struct Judgement {
  enum class Verdict { kReached, kMissed, kNotMeasured };
  Target target;
  Verdict verdict = Verdict::kNotMeasured;
  std::optional<Estimate> ratio = {};  ///< with a bootstrap interval where it is of timings
  std::string reason = {};             ///< why there is no ratio

  bool within_noise() const;  ///< the interval holds the limit
};

Judgement judge(const Target& target, const Results& results);
/// A quotient that no cell holds.
Judgement judge(const Target& target, const Estimate& ratio);

std::string as_table(const std::vector<Judgement>& judgements);
/// Schema lavo.targets/1: as the table, numbers as they are.
json as_json(const std::vector<Judgement>& judgements, const json& environments);

/// A line on each machine and build among the environments of results.
std::string describe(const json& environments);

}  // namespace lavo::report
