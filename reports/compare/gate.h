// SPDX-License-Identifier: MIT
// The policy of a comparison: how large a change must be to count, and which verdicts fail.
//
//   include = ["noise.toml"]     # other policy files, read first; paths as seen from this file
//   fail_on = ["slower", "worse", "broke"]   # verdicts that fail; these are the default
//   strict = false               # true: an inconclusive row makes the exit code 3
//   false_discovery_rate = 0.05  # of "slower" among all rows called slower; of "better" likewise
//   warn_above_noise = 0.1       # cells noisier than this only warn of "slower"
//   calibrated_on = "Xeon 6900, 2 cores"    # where the noise was learned; elsewhere a note says so
//
//   [[rule]]                     # all rules that match apply; a later one wins, field by field
//   cells = "efficiency/*length:65536*"      # glob over the cell's name, or a list of globs
//   axes = {mechanism = "lavo", length = [4096, 8192]}   # and over its axes; texts are globs
//   metric = "time"              # glob
//   kind = "timing"              # timing, exact, bound, seeded
//   margin = 0.05                # relative change that is allowed (timing 0.03, seeded 0.005)
//   noise = 0.08                 # the machine's noise floor: raises `margin` to at least this
//   floor = 0.002                # absolute change that is allowed, in the metric's unit
//   tolerance = 1e-5             # bound: the largest value; exact, and seeded with one seed:
//                                # the relative change
//   fail_on = []                 # for these rows alone: [] only warns
//   ignore = true                # these rows are left out
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reports/compare/verdict.h"

namespace lavo::compare {

struct Rule {
  std::string place;                                              ///< "gate.toml:12:1"
  std::vector<std::string> cells = {};                            ///< globs; empty: every cell
  std::vector<std::pair<std::string, nlohmann::json>> axes = {};  ///< each with a list of values
  std::optional<std::string> metric = {};
  std::optional<Kind> kind = {};
  std::optional<double> margin = {}, noise = {}, floor = {}, tolerance = {};
  std::optional<std::set<Verdict>> fail_on = {};
  std::optional<bool> ignore = {};

  bool matches(const Row& row) const;
};

struct Policy {
  std::set<Verdict> fail_on = {Verdict::kSlower, Verdict::kWorse, Verdict::kBroke};
  bool strict = false;
  double false_discovery_rate = 0.05;
  std::optional<double> warn_above_noise = {};
  std::vector<std::string> calibrated_on = {};
  std::vector<Rule> rules = {};
};

/// Reads gate.toml. Throws InputError with file:line:column, what was got, what is allowed and the
/// nearest known name: nothing in the file is passed over.
Policy read_policy(const std::filesystem::path& path);
/// The same from text; `source` names it, and included files are found beside it.
Policy parse_policy(std::string_view text, const std::filesystem::path& source);

/// What applies to one row.
struct Limits {
  double margin = 0;
  double floor = 0;
  std::optional<double> tolerance = {};
  std::set<Verdict> fail_on = {};
  bool ignore = false;
};
/// `used`, one flag a rule, is set for those that match.
Limits limits_for(const Policy& policy, const Row& row, std::vector<bool>& used);

}  // namespace lavo::compare
