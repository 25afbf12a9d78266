// SPDX-License-Identifier: MIT
// The contract of an experiment: it runs one cell (one point of its axes) and says what it
// measured.
#pragma once

#include <c10/core/ScalarType.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "lavo/core/check.h"
#include "lavo/core/entry.h"
#include "reports/records/outcome.h"

namespace lavo {

/// What a cell is expected to need; shown by `plan`, and the reason why `run` skips a cell that
/// cannot fit.
struct Prediction {
  double seconds = 0;       ///< the whole cell, all blocks
  double call_seconds = 0;  ///< its longest single call
  double memory_bytes = 0;
};

/// One cell to run.
struct Case {
  json axes;  ///< every axis and every option of the cell's mechanism, defaults filled in
  json limits = json::object();  ///< from the sweep's [limits], unknown keys already refused
  int block = 0;                 ///< which of blocks(...) this is
  std::filesystem::path directory =
      {};                        ///< of the run: trained models live under it, shared by sweeps
  std::string corpus = {};       ///< a data set of the table, a file or a folder; empty: the first
  std::string data_digest = {};  ///< of the data that the cell's id names
  std::function<void(const std::string&)> progress = [](const std::string&) {
  };  ///< a short line for the terminal
};

/// One layer's mechanism as a cell uses it: what has the state that match_state_bytes sizes.
struct StateUse {
  std::string mechanism;
  json options;
  Setting setting;
  c10::ScalarType type = c10::ScalarType::Float;  ///< of query, key and value
  Implementation implementation = Implementation::kFused;
};

class Experiment {
 public:
  virtual ~Experiment() = default;
  virtual std::string name() const = 0;
  virtual std::string purpose() const = 0;  ///< one sentence for `list`
  /// Raised when the same axes would no longer measure the same thing; part of a cell's id.
  virtual int spec_version() const = 0;
  /// Its own axes with defaults; mechanism options come on top (registry.h).
  virtual std::vector<OptionInfo> axes() const = 0;
  /// Checks the given axes and fills in every default, the mechanism's options included; options of
  /// other mechanisms are dropped. Throws OptionError.
  virtual json resolve(const json& given) const = 0;
  /// Why this point means nothing and is not planned (decode when not causal); empty otherwise.
  virtual std::string meaningless(const json& /*axes*/) const { return ""; }
  /// Why the cell is planned but cannot be run (a pattern that the mechanism refuses); becomes a
  /// skipped record.
  virtual std::string refused(const json& /*axes*/) const { return ""; }
  virtual Prediction predict(const json& axes, const json& limits) const = 0;
  /// Timed cells run in several blocks, interleaved over the sweep; others in one.
  virtual int blocks(const json& /*limits*/) const { return 1; }
  /// What else the result depends on: the digest of the corpus it reads ("" for none).
  virtual std::string data_digest(const json& /*axes*/, const std::string& /*corpus*/) const {
    return "";
  }
  /// A line for whoever starts a run on these data, on what of them is not read; mostly "".
  virtual std::string data_notice(const std::string& /*corpus*/) const { return ""; }
  /// Whether a cell needs the CPU for itself; others run beside each other, a core for each thread.
  virtual bool runs_alone() const { return true; }
  /// The axis that sizes the state of a mechanism that has no option for it; "" where cells have no
  /// state to match.
  virtual std::string width_axis() const { return ""; }
  /// Of resolved axes; only where there is a width_axis().
  virtual StateUse state_use(const json& /*axes*/) const { fail("{}: has no state", name()); }
  virtual Outcome run(const Case& cell) const = 0;
};

/// What resolve() does for an experiment whose axes are the fields of Axes (which has `std::string
/// mechanism`): splits `given` into axes, options of that mechanism, and options of other
/// mechanisms, which are dropped.
struct SplitAxes {
  json own;      ///< for the experiment's reader
  json options;  ///< for the mechanism's
};
SplitAxes split_axes(const std::string& experiment, const std::vector<OptionInfo>& own,
                     const json& given);

/// The axes as the ids of cells and models have them: without those declared `later` that are what
/// they become when they are not given. Ids are older than they.
json lasting_axes(const Experiment& experiment, const json& axes);

/// Enters the digest of the module that the axes' mechanism came with, where it did, into what a
/// cell or a model is identified by.
void add_module(json& identity, const json& axes);

/// The experiment's own axes, read, and the options of the mechanism. Throws OptionError.
template <class Axes>
std::pair<Axes, json> read_cell(const std::string& experiment, const json& given) {
  const SplitAxes split = split_axes(experiment, list_options<Axes>(), given);
  return {read_options<Axes>(experiment, split.own, "axis"), split.options};
}

}  // namespace lavo
