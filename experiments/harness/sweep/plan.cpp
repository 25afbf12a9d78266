// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/plan.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <map>

#include "experiments/harness/machine/resources.h"
#include "experiments/harness/sweep/cell_id.h"
#include "experiments/harness/sweep/known_names.h"
#include "experiments/harness/sweep/limits.h"
#include "experiments/harness/sweep/match_state.h"
#include "experiments/harness/sweep/overrides.h"
#include "experiments/registry.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

void add_once(std::vector<std::string>& texts, const std::string& text) {
  if (!text.empty() && std::ranges::find(texts, text) == texts.end()) texts.push_back(text);
}

/// Cells, each once: what else led to one is noted there.
class CellList {
 public:
  void add(Cell cell) {
    const auto [at, is_new] = places_.try_emplace(cell.id, cells.size());
    if (is_new) return cells.push_back(std::move(cell));
    json& notes = cells[at->second].matched_state;
    for (const json& note : cell.matched_state) {
      if (std::ranges::find(notes, note) == notes.end()) notes.push_back(note);
    }
  }

  std::vector<Cell> cells;

 private:
  std::map<std::string, size_t> places_;
};

class SweepPlanner {
 public:
  SweepPlanner(Sweep sweep, const Experiment& experiment, Overrides& overrides)
      : sweep_(std::move(sweep)),
        experiment_(experiment),
        known_(experiment),
        defaults_(experiment),
        matcher_(experiment),
        corpus_(overrides.corpus) {
    for (const Axis& axis : overrides.axes) {
      if (!known_.contains(axis.name)) continue;
      sweep_.override_axis(axis);
      overrides.used.insert(axis.place);
    }
    for (auto* axes : {&sweep_.fixed, &sweep_.axes}) std::ranges::for_each(*axes, spell_out);
    for (auto& table : sweep_.cells) std::ranges::for_each(table, spell_out);
    json limits = sweep_.limits;
    limits.update(overrides.limits);
    limits_ = write_options(read_options<Limits>("[limits]", limits, "limit"));
    check_names();
  }

  std::vector<Cell> cells() {
    CellList result;
    for (Point& point : combinations(sweep_)) {
      drop_meaningless_axes(point);
      if (is_excluded(point)) continue;
      if (std::optional<Cell> cell = make_cell(point)) result.add(std::move(*cell));
    }
    return std::move(result.cells);
  }

  const std::vector<std::string>& off_budget() const { return off_budget_; }

 private:
  void check_names() const {
    const auto check_all = [&](const std::vector<Axis>& axes) {
      for (const Axis& axis : axes) {
        known_.check(axis.name, axis.place);
        if (axis.name == kMatchStateBy) check_match_by(axis, experiment_);
      }
    };
    check_all(sweep_.match);
    check_all(sweep_.fixed);
    check_all(sweep_.axes);
    for (const auto& table : sweep_.cells) check_all(table);
    sweep_.check_match();
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

  /// What `get` gives; its refusal with the place of what it blames.
  template <class Get>
  auto placed(const Point& point, const Get& get) const {
    try {
      return get();
    } catch (const Error& error) {
      const auto* blaming = dynamic_cast<const OptionError*>(&error);
      const std::string place = blaming ? sweep_.place_of(blaming->option, point.table) : "";
      fail<InputError>("{}: {}", place.empty() ? sweep_.file : place, error.what());
    }
  }

  /// What the point leaves to match_state_bytes, entered into its axes; nothing without a budget.
  std::optional<StateMatch> match_state(Point& point) {
    const json bytes = point.axes.value(kMatchStateBytes, json());
    const std::string by = point.axes.value(kMatchStateBy, "");
    point.axes.erase(kMatchStateBytes);
    point.axes.erase(kMatchStateBy);
    if (bytes.is_null()) return {};
    const StateMatch match = placed(point, [&] {
      return matcher_.solve(point.axes, {bytes.get<int64_t>(), by});
    });
    if (match.refused.empty()) point.axes[match.budget.by] = match.value;
    return match;
  }

  void note_match(const StateMatch& match, Cell& cell) {
    if (!match.refused.empty()) {
      cell.refused = match.refused;
      cell.axes[match.budget.by] = nullptr;  // the cell with the default may be somebody's
      return;
    }
    cell.matched_state.push_back(match.note());
    add_once(off_budget_, match.off_budget(cell.axes.at("mechanism")));
  }

  std::optional<Cell> make_cell(Point& point) {
    Cell cell;
    cell.experiment = &experiment_;
    const auto match = match_state(point);
    cell.axes = placed(point, [&] { return experiment_.resolve(point.axes); });
    if (!experiment_.meaningless(cell.axes).empty()) return {};
    cell.limits = limits_;
    cell.corpus = corpus_;
    cell.data_digest = experiment_.data_digest(cell.axes, corpus_);
    if (match) note_match(*match, cell);
    cell.id = cell_id(experiment_, cell.axes, cell.data_digest);
    cell.blocks = experiment_.blocks(limits_);
    try {
      if (cell.refused.empty()) cell.refused = experiment_.refused(cell.axes);
      if (cell.refused.empty()) cell.prediction = experiment_.predict(cell.axes, limits_);
    } catch (const OptionError& error) {  // this mechanism with these options
      cell.refused = error.what();
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
  StateMatcher matcher_;
  std::vector<std::string> off_budget_;
  std::string corpus_;
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
  CellList cells;
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
    SweepPlanner planner(std::move(sweep), *experiment, overrides);
    for (Cell& cell : planner.cells()) {
      planned.ids.push_back(cell.id);
      cells.add(std::move(cell));
    }
    for (const std::string& text : planner.off_budget()) add_once(plan.off_budget, text);
    add_once(plan.notices, experiment->data_notice(overrides.corpus));
    plan.sweeps.push_back(std::move(planned));
  }
  plan.cells = std::move(cells.cells);
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
