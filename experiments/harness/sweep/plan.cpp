// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/plan.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "baselines/table.h"
#include "experiments/harness/machine/resources.h"
#include "experiments/harness/sweep/limits.h"
#include "experiments/registry.h"
#include "lavo/core/check.h"
#include "lavo/core/sha256.h"

namespace lavo {
namespace {

std::vector<std::string> axis_names(const Experiment& experiment) {
  std::vector<std::string> names;
  for (const OptionInfo& info : experiment.axes()) names.push_back(info.name);
  return names;
}

/// Names that an experiment's cells may have: its own axes and, where it has mechanisms, their
/// options.
class KnownNames {
 public:
  explicit KnownNames(const Experiment& experiment)
      : experiment_(experiment.name()), own_(axis_names(experiment)) {}
  bool own(const std::string& name) const { return std::ranges::find(own_, name) != own_.end(); }
  bool contains(const std::string& name) const {
    return own(name) || (own("mechanism") && is_mechanism_option(name));
  }
  void check(const std::string& name, const std::string& place) const {
    if (contains(name)) return;
    std::vector<std::string> all = own_;
    if (own("mechanism")) {
      std::set<std::string> options;
      for (const Entry& entry : mechanisms()) {
        for (const OptionInfo& info : entry.options) options.insert(info.name);
      }
      all.insert(all.end(), options.begin(), options.end());
    }
    fail<InputError>("{}: {}: {}", place, experiment_, unknown_name("axis", name, all));
  }
  void check(const Expression& condition) const {
    for (const std::string& name : condition.names()) check(name, condition.place());
    if (!own("mechanism")) return;
    for (const std::string& name : condition.texts_compared_with("mechanism")) {
      try {
        find_mechanism(name);
      } catch (const OptionError& error) {
        fail<InputError>("{}: {}", condition.place(), error.what());
      }
    }
  }

 private:
  std::string experiment_;
  std::vector<std::string> own_;
};

/// A point with the defaults of whatever it leaves open, for conditions to look at.
class Defaults {
 public:
  explicit Defaults(const Experiment& experiment) {
    for (const OptionInfo& info : experiment.axes()) own_[info.name] = info.default_value;
    if (!own_.contains("mechanism")) return;
    for (const Entry& entry : mechanisms()) {
      json& options = of_mechanism_[entry.name] = json::object();
      for (const OptionInfo& info : entry.options) options[info.name] = info.default_value;
    }
  }
  json fill(const json& axes) const {
    json filled = own_;
    const json mechanism = axes.value("mechanism", own_.value("mechanism", json()));
    if (mechanism.is_string()) {
      const auto found = of_mechanism_.find(mechanism.get<std::string>());
      if (found != of_mechanism_.end()) filled.update(found->second);
    }
    filled.update(axes);
    return filled;
  }

 private:
  json own_ = json::object();
  std::unordered_map<std::string, json> of_mechanism_;
};

/// The command line's part of the limits and what stands for every sweep.
struct Overrides {
  std::vector<Axis> axes;
  json limits = json::object();
  std::filesystem::path corpus;
  std::set<std::string> used;  ///< places of overrides that some sweep had an axis for

  explicit Overrides(const Selection& selection) {
    for (const std::string& text : selection.axes) axes.push_back(parse_axis(text));
    for (const std::string& text : selection.sets) add_setting(parse_setting(text));
    std::vector<json> types;
    for (const std::string& text : selection.devices) {
      const json type = parse_device(text).type;
      if (std::ranges::find(types, type) == types.end()) types.push_back(type);
    }
    if (!types.empty()) axes.push_back({"device", types, "--device", true});
    if (selection.threads) axes.push_back({"threads", {*selection.threads}, "--threads"});
    if (!selection.cell_timeout.empty()) {
      parse_timeout(selection.cell_timeout, "--cell-timeout");
      limits["cell_timeout"] = selection.cell_timeout;
    }
  }

 private:
  void add_setting(Axis setting) {
    if (setting.name == "corpus") {
      corpus = setting.values.front().is_string() ? setting.values.front().get<std::string>()
                                                  : setting.values.front().dump();
      require<InputError>(std::filesystem::exists(corpus), "--set corpus: '{}' does not exist",
                          corpus.string());
    } else if (setting.name.starts_with("limits.")) {
      const json limit = {{setting.name.substr(7), setting.values.front()}};
      read_options<Limits>("--set limits", limit, "limit");
      limits.update(limit);
      if (limit.contains("cell_timeout")) {
        parse_timeout(limit["cell_timeout"].get<std::string>(), "--set limits.cell_timeout");
      }
    } else {
      axes.push_back(std::move(setting));
    }
  }
};

class SweepPlanner {
 public:
  SweepPlanner(Sweep sweep, const Experiment& experiment, Overrides& overrides)
      : sweep_(std::move(sweep)),
        experiment_(experiment),
        known_(experiment),
        defaults_(experiment),
        corpus_(overrides.corpus) {
    for (const Axis& axis : overrides.axes) {
      if (!known_.contains(axis.name)) continue;
      sweep_.override_axis(axis);
      overrides.used.insert(axis.place);
    }
    json limits = sweep_.limits;
    limits.update(overrides.limits);
    limits_ = write_options(read_options<Limits>("[limits]", limits, "limit"));
    check_names();
  }

  std::vector<Cell> cells() const {
    std::vector<Cell> result;
    std::set<std::string> seen;
    for (Point& point : combinations(sweep_)) {
      drop_meaningless_axes(point);
      if (is_excluded(point)) continue;
      std::optional<Cell> cell = make_cell(point);
      if (cell && seen.insert(cell->id).second) result.push_back(std::move(*cell));
    }
    return result;
  }

 private:
  void check_names() const {
    const auto check_all = [&](const std::vector<Axis>& axes) {
      for (const Axis& axis : axes) known_.check(axis.name, axis.place);
    };
    check_all(sweep_.fixed);
    check_all(sweep_.axes);
    for (const auto& table : sweep_.cells) check_all(table);
    for (const Only& only : sweep_.only) {
      known_.check(only.when);
      for (const std::string& name : only.keep) known_.check(name, only.when.place());
    }
    for (const Expression& condition : sweep_.exclude) known_.check(condition);
  }

  void drop_meaningless_axes(Point& point) const {
    if (sweep_.only.empty()) return;
    const json filled = defaults_.fill(point.axes);
    for (const Only& only : sweep_.only) {
      if (only.when.holds(filled)) continue;
      for (const std::string& name : only.keep) point.axes.erase(name);
    }
  }

  bool is_excluded(const Point& point) const {
    if (sweep_.exclude.empty()) return false;
    const json filled = defaults_.fill(point.axes);
    return std::ranges::any_of(sweep_.exclude,
                               [&](const Expression& when) { return when.holds(filled); });
  }

  json resolve(const Point& point) const {
    try {
      return experiment_.resolve(point.axes);
    } catch (const Error& error) {
      const std::string text = error.what();
      std::string of_name, of_value;  // messages quote the axis, or the value that is unknown
      for (const auto& [name, value] : point.axes.items()) {
        const auto quotes = [&](const std::string& word) {
          return text.find("'" + word + "'") != std::string::npos;
        };
        if (quotes(name)) of_name = sweep_.place_of(name, point.table);
        if (value.is_string() && quotes(value.get<std::string>())) {
          of_value = sweep_.place_of(name, point.table);
        }
      }
      const std::string& place = !of_name.empty() ? of_name : of_value;
      fail<InputError>("{}: {}", place.empty() ? sweep_.file : place, text);
    }
  }

  std::optional<Cell> make_cell(const Point& point) const {
    Cell cell;
    cell.experiment = &experiment_;
    cell.axes = resolve(point);
    if (!experiment_.meaningless(cell.axes).empty()) return {};
    cell.limits = limits_;
    cell.corpus = corpus_;
    const json identity = {{"experiment", experiment_.name()},
                           {"spec_version", experiment_.spec_version()},
                           {"axes", cell.axes},
                           {"data", experiment_.data_digest(cell.axes, corpus_)}};
    cell.id = sha256(identity.dump()).substr(0, 16);
    cell.blocks = experiment_.blocks(limits_);
    try {
      cell.refused = experiment_.refused(cell.axes);
      if (cell.refused.empty()) cell.prediction = experiment_.predict(cell.axes, limits_);
    } catch (const c10::Error& error) {  // too large for its parameters to be made
      const std::string text = error.what_without_backtrace();
      cell.refused = "the mechanism cannot be made: " + text.substr(0, text.find('\n'));
    }
    json row = cell.axes;
    row.erase("length");
    cell.row = experiment_.name() + row.dump();
    return cell;
  }

  Sweep sweep_;
  const Experiment& experiment_;
  KnownNames known_;
  Defaults defaults_;
  std::filesystem::path corpus_;
  json limits_;
};

}  // namespace

Plan make_plan(const Selection& selection) {
  const auto& profile = selection.profile;
  require<InputError>(std::ranges::find(kProfiles, profile) != kProfiles.end(), "--profile: {}",
                      unknown_name("profile", profile, kProfiles));
  Overrides overrides(selection);
  Plan plan;
  plan.profile = profile;
  std::set<std::string> seen;
  for (const auto& file : selection.sweeps) {
    Sweep sweep = read_sweep(file, profile);
    for (const PlannedSweep& other : plan.sweeps) {
      require<InputError>(other.name != sweep.name, "{}: is named '{}', as {} is", sweep.file,
                          sweep.name, other.file);
    }
    const Experiment* experiment = nullptr;
    try {
      experiment = &find_experiment(sweep.experiment);
    } catch (const OptionError& error) {
      fail<InputError>("{}: {}", sweep.experiment_place, error.what());
    }
    PlannedSweep planned{sweep.name, sweep.file, sweep.experiment, sweep.description, {}};
    for (Cell& cell : SweepPlanner(std::move(sweep), *experiment, overrides).cells()) {
      planned.ids.push_back(cell.id);
      if (seen.insert(cell.id).second) plan.cells.push_back(std::move(cell));
    }
    plan.sweeps.push_back(std::move(planned));
  }
  for (const Axis& axis : overrides.axes) {
    if (overrides.used.contains(axis.place)) continue;
    std::vector<std::string> known;
    for (const PlannedSweep& sweep : plan.sweeps) {
      for (const auto& name : axis_names(find_experiment(sweep.experiment))) known.push_back(name);
    }
    fail<InputError>("{}: {}", axis.place, unknown_name("axis", axis.name, known));
  }
  return plan;
}

std::string Cell::reason_to_skip() const {
  if (!refused.empty()) return refused;
  const json& most = limits["call_seconds"];
  if (most.is_null() || prediction.call_seconds <= most.get<double>()) return "";
  return fmt::format("one call is predicted to take {:.3g} s, call_seconds is {:.3g}",
                     prediction.call_seconds, most.get<double>());
}

double Cell::predicted_seconds() const {
  if (!reason_to_skip().empty()) return 0;
  const int64_t beside = alone() ? 1 : std::max<int64_t>(1, usable_cores() / threads());
  return prediction.seconds / static_cast<double>(beside);
}

std::vector<Cell> shard_of(const std::vector<Cell>& cells, Shard shard) {
  if (shard.count == 1) return cells;
  std::vector<size_t> order(cells.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {},
                    [&](size_t i) { return std::pair(-cells[i].prediction.seconds, cells[i].id); });
  std::vector<size_t> mine;
  for (size_t k = 0; k < order.size(); ++k) {
    // To and fro (1 2 3 3 2 1), so that the first shard does not get the longest of every round.
    const auto round = static_cast<int64_t>(k) / shard.count;
    const auto seat = static_cast<int64_t>(k) % shard.count;
    if ((round % 2 == 0 ? seat : shard.count - 1 - seat) + 1 == shard.index)
      mine.push_back(order[k]);
  }
  std::ranges::sort(mine);
  std::vector<Cell> result;
  for (const size_t i : mine) result.push_back(cells[i]);
  return result;
}

}  // namespace lavo
