// SPDX-License-Identifier: MIT
// NEW against BASE: a verdict for each cell and metric, and whether it passes the policy.
//
// Cells are the same when their ids are equal, or else experiment and axes: then what they run is
// not the same any more (spec_version, corpus) and they are incomparable. Metrics are comparable in
// the same unit, direction and kind. What decides, by kind:
//
//   timing   The 95 % interval of the ratio lies beyond the margin, the false discovery rate among
//            all rows is below the policy's, and the change is above the absolute floor.
//            "same" when the whole interval is within the margin (verdict_timing.h).
//            Fewer than three blocks: samples count as blocks, and the margin is doubled.
//   exact    Any change.
//   bound    Above the policy's tolerance; without one, above twice BASE.
//   seeded   Cells that differ in the seed alone are one row: Welch's one-sided test over seeds,
//            and the interval beyond the margin.
//            One seed: "same" when equal within the tolerance.
#pragma once

#include <functional>

#include "reports/compare/compare_input.h"
#include "reports/compare/gate.h"
#include "reports/compare/verdict.h"
#include "reports/compare/verdict_timing.h"

namespace lavo::compare {

struct Options {
  Policy policy = {};
  bool allow_different_machine = false;
  bool side_by_side = false;  ///< block i of BASE and of NEW were measured one after the other
};

/// Of one metric, over cells that are ok and comparable in both files.
struct GeometricMean {
  std::string metric;
  size_t cells = 0;
  double ratio = 1;                  ///< new / base
  std::optional<Interval> interval;  ///< 95 %, of timing metrics
};

struct Comparison {
  std::string base, next;         ///< where they came from
  json base_builds, next_builds;  ///< the builds that measured them, each once
  json machine;                   ///< of NEW's first cell
  std::vector<Row> rows;          ///< worst first, whatever the order of the cells was
  std::vector<GeometricMean> means;
  std::vector<SharedShift> shifts;
  std::vector<std::string> notes;  ///< what a reader must know beside the rows
  bool strict = false;
  bool other_machines = false;  ///< some cells were not compared for that reason
  bool other_units = false;     ///< nor some metrics, whose unit, direction or kind is another

  size_t count(Verdict verdict) const;
  size_t failures() const;
  bool nothing_comparable() const;
};

/// "Xeon 6900, 2 cores": how policies name a machine.
std::string machine_text(const json& machine);

/// Throws InputError where there is nothing to compare.
Comparison compare(const Input& base, const Input& next, const Options& options);

/// 1: a row fails; 4: cells of other machines, metrics in other units; 3: strict, and a row is
/// inconclusive; 0: passed.
int exit_code(const Comparison& comparison);

/// "PASS", "FAIL: 2 slower, 1 broke", "INCONCLUSIVE: ...", "INCOMPARABLE: ..."
std::string conclusion(const Comparison& comparison);

}  // namespace lavo::compare
