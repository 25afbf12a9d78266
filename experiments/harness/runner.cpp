// SPDX-License-Identifier: MIT
#include "experiments/harness/runner.h"

#include <algorithm>
#include <optional>

#include "experiments/harness/environment.h"
#include "experiments/harness/execute.h"
#include "experiments/harness/schedule.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

std::string gibibytes(double bytes) { return fmt::format("{:.2f} GiB", bytes / (1 << 30)); }

class Run {
 public:
  Run(const Plan& plan, const json& asked, const RunOptions& options)
      : options_(options),
        cells_(shard_of(plan.cells, options.shard)),
        store_(options.directory, options.shard),
        records_(read_records(options.directory)) {
    for (const std::string& warning : records_.warnings) fmt::print(stderr, "{}\n", warning);
    const json environment = read_environment();
    environment_ = environment_id(environment);
    fingerprint_ = environment_fingerprint(environment);
    store_.write_environment(environment_, environment);
    store_.write_plans(plan, asked);
    for (const Cell& cell : plan.cells) {
      const auto earlier = records_.by_id.find(cell.id);
      if (earlier != records_.by_id.end() && is_done(earlier->second, options.retry)) {
        note_out_of_memory(cell, earlier->second["status"]);
      }
    }
    auto unfinished = store_.read_blocks(fingerprint_);
    states_.resize(cells_.size());
    for (size_t i = 0; i < cells_.size(); ++i) {
      State& state = states_[i];
      const auto earlier = records_.by_id.find(cells_[i].id);
      if (earlier != records_.by_id.end()) {
        state.done = is_done(earlier->second, options.retry);
        state.sofar.attempt = earlier->second["attempt"].get<int>() + 1;
      }
      const auto found = unfinished.find(cells_[i].id);
      if (found != unfinished.end() && found->second.attempt == state.sofar.attempt) {
        state.sofar = found->second;
      }
    }
  }

  RunSummary run() {
    for (const Task& task : make_schedule(cells_)) {
      State& state = states_[task.cell];
      if (state.done || task.block < static_cast<int>(state.sofar.blocks.size())) continue;
      const Cell& cell = cells_[task.cell];
      if (const std::string reason = reason_to_skip(cell); !reason.empty()) {
        skip(task.cell, reason);
        continue;
      }
      if (state.sofar.blocks.empty()) state.sofar.started = utc_now();
      finish_block(task.cell, execute(*cell.experiment, make_case(task)));
    }
    store_.drop_blocks();
    for (const std::string& warning : store_.write_results()) fmt::print(stderr, "{}\n", warning);
    return summary();
  }

 private:
  struct State {
    bool done = false;
    Store::Unfinished sofar;
  };

  Case make_case(const Task& task) const {
    const Cell& cell = cells_[task.cell];
    Case result;
    result.axes = cell.axes;
    result.limits = cell.limits;
    result.block = task.block;
    result.directory = store_.directory();
    result.corpus = cell.corpus;
    return result;
  }

  std::string reason_to_skip(const Cell& cell) const {
    if (!cell.refused.empty()) return cell.refused;
    const double fraction = cell.limits["memory_fraction"];
    const double available = available_memory() * fraction;
    if (cell.prediction.memory_bytes > available) {
      return fmt::format("predicted to need {}, {} of memory may be used",
                         gibibytes(cell.prediction.memory_bytes), gibibytes(available));
    }
    const json& most = cell.limits["call_seconds"];
    if (!most.is_null() && cell.prediction.call_seconds > most.get<double>()) {
      return fmt::format("one call is predicted to take {:.3g} s, call_seconds is {:.3g}",
                         cell.prediction.call_seconds, most.get<double>());
    }
    if (!options_.prune) return "";
    const auto shortest = out_of_memory_.find(cell.row);
    if (shortest != out_of_memory_.end() && cell.length() > shortest->second) {
      return fmt::format("ran out of memory at length {}", shortest->second);
    }
    return "";
  }

  /// A cell skipped before is decided on anew; when it is skipped again its record stands.
  void skip(size_t index, const std::string& reason) {
    const auto earlier = records_.by_id.find(cells_[index].id);
    if (earlier != records_.by_id.end() && earlier->second["status"] == "skipped") {
      states_[index].done = true;
      return;
    }
    add_record(index, make_record(cells_[index], states_[index].sofar.attempt, "skipped", reason,
                                  environment_));
  }

  void finish_block(size_t index, BlockResult block) {
    State& state = states_[index];
    const Cell& cell = cells_[index];
    const std::string status = block.status;
    state.sofar.blocks.push_back(std::move(block));
    if (status == "ok" && static_cast<int>(state.sofar.blocks.size()) < cell.blocks) {
      store_.append_block(cell.id, state.sofar, fingerprint_);
      return;
    }
    note_out_of_memory(cell, status);
    add_record(index, make_record(cell, state.sofar.attempt, state.sofar.blocks, environment_,
                                  state.sofar.started));
  }

  void note_out_of_memory(const Cell& cell, const std::string& status) {
    if (status != "out_of_memory") return;
    const auto [at, is_first] = out_of_memory_.try_emplace(cell.row, cell.length());
    if (!is_first) at->second = std::min(at->second, cell.length());
  }

  void add_record(size_t index, const json& record) {
    store_.append(record);
    records_.by_id[cells_[index].id] = record;
    states_[index].done = true;
    ++finished_now_;
    fmt::print("{} {} {}\n", cells_[index].id, record["status"].get<std::string>(),
               cells_[index].axes.dump());
  }

  RunSummary summary() const {
    RunSummary result;
    result.planned = static_cast<int>(cells_.size());
    result.finished_now = finished_now_;
    for (const Cell& cell : cells_) {
      const auto found = records_.by_id.find(cell.id);
      if (found != records_.by_id.end()) ++result.statuses[found->second["status"]];
    }
    return result;
  }

  const RunOptions& options_;
  std::vector<Cell> cells_;
  Store store_;
  Records records_;
  std::string environment_, fingerprint_;
  std::vector<State> states_;
  std::map<std::string, double> out_of_memory_;  ///< row -> the shortest length that did
  int finished_now_ = 0;
};

}  // namespace

bool is_done(const json& record, const std::string& retry) {
  const json status = record.value("status", json());
  if (status == "skipped") return false;  // a decision, not a result: it is taken again
  if (retry == "all") return false;
  if (retry == "failed") return status == "ok";
  if (retry == "crashed") return status != "crashed";
  return true;
}

RunSummary run_plan(const Plan& plan, const json& asked, const RunOptions& options) {
  return Run(plan, asked, options).run();
}

}  // namespace lavo
