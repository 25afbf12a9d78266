// SPDX-License-Identifier: MIT
#include "reports/compare/compare.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "lavo/core/check.h"
#include "reports/compare/compare_rows.h"
#include "reports/records/cell_name.h"

namespace lavo::compare {
namespace {

struct Pair {
  const Cell* base = nullptr;
  const Cell* next = nullptr;
};

/// By id, else by name, among those that have no partner of their id.
std::vector<Pair> match(const Input& base, const Input& next) {
  std::map<std::string, const Cell*> by_id;
  for (const Cell& cell : next.cells) by_id[cell.id] = &cell;
  std::vector<Pair> pairs;
  std::vector<const Cell*> alone;
  for (const Cell& cell : base.cells) {
    const auto found = by_id.find(cell.id);
    if (found == by_id.end()) {
      alone.push_back(&cell);
    } else {
      pairs.push_back({&cell, found->second});
      by_id.erase(found);
    }
  }
  std::multimap<std::string, const Cell*> by_name;
  for (const auto& [id, cell] : by_id) by_name.emplace(cell->name, cell);
  for (const Cell* cell : alone) {
    const auto found = by_name.find(cell->name);
    pairs.push_back({cell, found == by_name.end() ? nullptr : found->second});
    if (found != by_name.end()) by_name.erase(found);
  }
  for (const auto& [name, cell] : by_name) pairs.push_back({nullptr, cell});
  std::ranges::stable_sort(pairs, {}, [](const Pair& pair) {
    return pair.base != nullptr ? pair.base->name : pair.next->name;
  });
  return pairs;
}

/// "cpu_model: 'A', then 'B'" or "".
std::string machine_difference(const json& a, const json& b) {
  for (const char* field :
       {"cpu_model", "cores", "memory_bytes", "gpu_model", "gpu_memory_bytes", "driver"}) {
    const json x = a.value(field, json()), y = b.value(field, json());
    if (x != y) return fmt::format("{}: {}, then {}", field, x.dump(), y.dump());
  }
  return "";
}

/// What differs of the circumstances that change how fast a machine is: "governor: 'A', then 'B'".
std::vector<std::string> circumstance_differences(const json& a, const json& b) {
  std::vector<std::string> differences;
  const auto compare = [&](const std::string& name, const json& x, const json& y) {
    if (x != y) differences.push_back(fmt::format("{}: {}, then {}", name, x.dump(), y.dump()));
  };
  for (const char* field : {"governor", "turbo", "huge_pages", "cpu_quota", "instructions"}) {
    compare(field, a.value(field, json()), b.value(field, json()));
  }
  const json x = a.value("variables", json::object()), y = b.value("variables", json::object());
  json names = x;
  names.update(y);
  for (const auto& [name, value] : names.items()) {
    compare(name, x.value(name, json()), y.value(name, json()));
  }
  return differences;
}

json builds_of(const Input& input) {
  json builds = json::array();
  for (const auto& [id, environment] : input.environments.items()) {
    const json build = environment.value("build", json::object());
    if (std::ranges::find(builds, build) == builds.end()) builds.push_back(build);
  }
  return builds;
}

Row row_of(const Cell& cell) {
  Row row;
  row.cell = cell.name;
  row.axes = cell.axes;
  row.experiment = cell.experiment;
  return row;
}

std::string status_text(const Cell& cell) {
  return cell.reason.empty() ? lavo::word(cell.status)
                             : lavo::word(cell.status) + ": " + cell.reason;
}

class Comparer {
 public:
  Comparer(const Input& base, const Input& next, const Options& options)
      : base_(base), next_(next), options_(options) {}

  Comparison run() {
    result_.base = base_.source;
    result_.next = next_.source;
    result_.base_builds = builds_of(base_);
    result_.next_builds = builds_of(next_);
    result_.machine = next_.environment(next_.cells.front()).at("machine");
    result_.strict = options_.policy.strict;
    for (const Pair& pair : match(base_, next_)) compare_cells(pair);
    require<InputError>(common_ > 0, "{} and {}: no cell is in both, so nothing can be compared",
                        base_.source, next_.source);
    require<InputError>(measured_ > 0,
                        "{} and {}: no cell is ok in either, so nothing can be compared",
                        base_.source, next_.source);
    rows_.finish(result_);
    note_calibration();
    return std::move(result_);
  }

 private:
  void compare_cells(const Pair& pair) {
    if (pair.base == nullptr || pair.next == nullptr) {
      const Cell& cell = pair.base != nullptr ? *pair.base : *pair.next;
      Row row = row_of(cell);
      row.verdict = pair.base != nullptr ? Verdict::kMissing : Verdict::kNew;
      row.reason = cell.ok() ? "" : status_text(cell);
      rows_.add(std::move(row));
      return;
    }
    const Cell &base = *pair.base, &next = *pair.next;
    ++common_;
    measured_ += base.ok() || next.ok();
    if (const std::string reason = incomparable(base, next); !reason.empty()) {
      Row row = row_of(next);
      row.verdict = Verdict::kIncomparable;
      row.reason = reason;
      rows_.add(std::move(row));
      return;
    }
    if (base.ok() && next.ok()) {
      note_circumstances(base, next);
      rows_.add_metrics(base, next);
      return;
    }
    Row row = row_of(next);
    if (base.ok() || next.ok()) {
      row.verdict = base.ok() ? Verdict::kBroke : Verdict::kFixed;
      row.reason =
          base.ok() ? "ok, then " + status_text(next) : lavo::word(base.status) + ", then ok";
    } else if (base.status == next.status) {
      row.reason = lavo::word(next.status) + " in both";
    } else {
      row.verdict = Verdict::kInconclusive;
      row.reason = lavo::word(base.status) + ", then " + status_text(next);
    }
    rows_.add(std::move(row));
  }

  std::string incomparable(const Cell& base, const Cell& next) {
    const std::string machine = machine_difference(base_.environment(base).at("machine"),
                                                   next_.environment(next).at("machine"));
    if (!machine.empty()) {
      if (!options_.allow_different_machine) {
        result_.other_machines = true;
        return "other machine: " + machine;
      }
      if (!noted_machine_) result_.notes.push_back("other machine, by request: " + machine);
      noted_machine_ = true;
    }
    if (base.spec_version != next.spec_version) {
      return fmt::format("measures something else: spec_version {}, then {}", base.spec_version,
                         next.spec_version);
    }
    if (base.id != next.id) return "same axes, other id: it ran on other data";
    return "";
  }

  /// They are no other machine, but may be why times moved.
  void note_circumstances(const Cell& base, const Cell& next) {
    for (const std::string& difference :
         circumstance_differences(base_.environment(base).value("circumstance", json::object()),
                                  next_.environment(next).value("circumstance", json::object()))) {
      const std::string note = "other circumstances: " + difference;
      if (std::ranges::find(result_.notes, note) == result_.notes.end()) {
        result_.notes.push_back(note);
      }
    }
  }

  void note_calibration() {
    const std::string here = machine_text(result_.machine);
    for (const std::string& there : options_.policy.calibrated_on) {
      if (there != here) {
        result_.notes.push_back(
            fmt::format("the noise floor was learned on another machine: {}, not {}", there, here));
      }
    }
  }

  const Input& base_;
  const Input& next_;
  const Options& options_;
  Comparison result_;
  RowMaker rows_{options_};
  size_t common_ = 0, measured_ = 0;
  bool noted_machine_ = false;
};

}  // namespace

std::string machine_text(const json& machine) {
  return fmt::format("{}, {} cores", axis_text(machine.value("cpu_model", json())),
                     axis_text(machine.value("cores", json())));
}

Comparison compare(const Input& base, const Input& next, const Options& options) {
  return Comparer(base, next, options).run();
}

int exit_code(const Comparison& comparison) {
  if (comparison.failures() > 0) return 1;
  if (comparison.other_machines || comparison.other_units || comparison.nothing_comparable())
    return 4;
  return comparison.strict && comparison.count(Verdict::kInconclusive) > 0 ? 3 : 0;
}

std::string conclusion(const Comparison& comparison) {
  std::vector<std::string> parts;
  for (int i = 0; i <= static_cast<int>(Verdict::kSame); ++i) {
    const auto verdict = static_cast<Verdict>(i);
    if (const size_t count = comparison.count(verdict); count > 0)
      parts.push_back(fmt::format("{} {}", count, word(verdict)));
  }
  static const std::map<int, std::string> words = {
      {0, "PASS"}, {1, "FAIL"}, {3, "INCONCLUSIVE"}, {4, "INCOMPARABLE"}};
  return fmt::format("{}: {}", words.at(exit_code(comparison)), fmt::join(parts, ", "));
}

bool Comparison::nothing_comparable() const {
  return count(Verdict::kIncomparable) > 0 && std::ranges::none_of(rows, [](const Row& row) {
           return row.verdict != Verdict::kIncomparable && row.verdict != Verdict::kNew &&
                  row.verdict != Verdict::kMissing;
         });
}

size_t Comparison::count(Verdict verdict) const {
  return static_cast<size_t>(std::ranges::count(rows, verdict, &Row::verdict));
}

size_t Comparison::failures() const {
  return static_cast<size_t>(std::ranges::count(rows, true, &Row::fails));
}

}  // namespace lavo::compare
