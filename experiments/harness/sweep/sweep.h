// SPDX-License-Identifier: MIT
// A sweep file says which points of an experiment's axes to measure:
//
//   name = "window"                     # of the sweep; its file's name by default
//   experiment = "efficiency"
//   description = "one sentence"        # optional
//   match_state_bytes = 33280           # match_state.h: solves for an axis or option of each cell, so
//   match_state_by = "window"           # that its state has about this size; with _by, for that one
//   [fixed]                             # the same in every cell
//   head_dim = 64
//   [axes]                              # the cells are the product of these lists
//   mechanism = ["lavo", "vanilla"]     # or "all", or groups: ["softmax", "LAVO"]
//   window = [8, 16]
//   [[cells]]                           # further cells beside the product: these values on top of
//   mechanism = "local"                 # [fixed]; lists in here multiply. With no [axes] the
//   look_back = [0, 1]                  # file's cells are these alone.
//   [[only]]                            # these axes mean something only where `when` holds;
//   when = "dissect"                    # elsewhere they are dropped and take their defaults
//   keep = ["window"]
//   [[exclude]]                         # cells not wanted
//   when = "mechanism == 'vanilla' and length > 65536"
//   [limits]                            # limits.h
//   [profile.smoke.axes]                # smoke, quick, mid, paper: the same three tables again, and
//   length = [64]                       # match_state_*; what is named here replaces what stands above
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/harness/sweep/expression.h"
#include "lavo/core/options.h"

namespace lavo {

/// Keys of the file, of a profile and of [[cells]] that are no axes; several values multiply.
inline const std::string kMatchStateBytes = "match_state_bytes", kMatchStateBy = "match_state_by";
inline bool is_match_key(std::string_view name) {
  return name == kMatchStateBytes || name == kMatchStateBy;
}

inline const std::vector<std::string> kProfiles = {"smoke", "quick", "mid", "paper"};

/// A name with its values (one, or several that multiply) and where they were written, for
/// messages: "sweep.toml:7:1", "--axis length".
struct Axis {
  std::string name;
  std::vector<json> values;
  std::string place;
  bool is_list = false;
};

struct Only {
  Expression when;
  std::vector<std::string> keep;
};

struct Sweep {
  std::string file;
  std::string name;
  std::string experiment;
  std::string experiment_place;
  std::string description;
  std::vector<Axis>
      match;  ///< match_state_bytes and match_state_by, of the product and of [[cells]]
  std::vector<Axis> fixed;
  std::vector<Axis> axes;
  std::vector<std::vector<Axis>> cells;
  bool has_product = true;  ///< false when [[cells]] are all there is
  std::vector<Only> only;
  std::vector<Expression> exclude;
  json limits = json::object();  ///< checked, without defaults
  std::string limits_place;

  /// Sets an axis, or a match_state_*, from the command line: in the product, and in every [[cells]]
  /// table.
  void override_axis(const Axis& axis);
  /// Throws InputError where match_state_by stands alone.
  void check_match() const;
  /// Where a name's value was written, in the `table`-th of [[cells]] or (-1) in the product.
  std::string place_of(const std::string& name, int table) const;
};

/// One combination of the values, match_state_* among them, before defaults are filled in.
struct Point {
  json axes = json::object();
  int table = -1;  ///< which of [[cells]] it comes from; -1: the product
};

/// Reads and checks a sweep file with the overrides of `profile`. Throws InputError with file, line
/// and column.
Sweep read_sweep(const std::filesystem::path& file, const std::string& profile);

/// Every combination in the order of the file, the last axis running fastest; nothing is dropped or
/// excluded yet. Throws InputError above a million.
std::vector<Point> combinations(const Sweep& sweep);

}  // namespace lavo
