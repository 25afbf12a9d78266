// SPDX-License-Identifier: MIT
#include "experiments/harness/run/ledger.h"

#include <algorithm>

#include "experiments/harness/machine/resources.h"
#include "experiments/harness/sweep/limits.h"
#include "lavo/core/check.h"
#include "reports/records/statistics.h"

namespace lavo {
namespace {

constexpr size_t kRemembered = 101;     ///< blocks that the pace is taken from
constexpr double kLeastExpected = 1.0;  ///< s; below it starting up is what takes the time

std::string gibibytes(double bytes) { return fmt::format("{:.2f} GiB", bytes / (1 << 30)); }

}  // namespace

bool is_done(const json& record, const std::string& retry) {
  const auto status = record.at("status").get<Status>();
  if (status == Status::kSkipped) return false;  // a decision, not a result: it is taken again
  if (retry == "all") return false;
  if (retry == "failed") return status == Status::kOk;
  if (retry == "crashed") return status != Status::kCrashed;
  return true;
}

Ledger::Ledger(std::vector<Cell> cells, const std::vector<Cell>& all, Store& store, Records records,
               LedgerOptions options)
    : cells_(std::move(cells)),
      store_(store),
      records_(std::move(records)),
      options_(std::move(options)),
      states_(cells_.size()) {
  for (const Cell& cell : all) {
    const auto earlier = records_.by_id.find(cell.id);
    if (earlier != records_.by_id.end() && is_done(earlier->second, options_.retry)) {
      note_out_of_memory(cell, earlier->second["status"].get<Status>());
    }
  }
  auto unfinished = store_.read_blocks(options_.fingerprint);
  for (size_t i = 0; i < cells_.size(); ++i) {
    State& state = states_[i];
    has_predictions_ = has_predictions_ || cells_[i].prediction.seconds > 0;
    const auto earlier = records_.by_id.find(cells_[i].id);
    if (earlier != records_.by_id.end()) {
      state.done = is_done(earlier->second, options_.retry);
      state.sofar.attempt = records_.attempts.at(cells_[i].id) + 1;
      done_ += state.done;
    }
    const auto found = unfinished.find(cells_[i].id);
    if (found != unfinished.end() && found->second.attempt == state.sofar.attempt) {
      state.sofar = std::move(found->second);
    }
  }
  for (const Turn& turn : make_schedule(cells_)) {
    const State& state = states_[turn.cell];
    if (!state.done && turn.block >= static_cast<int>(state.sofar.blocks.size())) {
      left_.push_back(turn);
    }
  }
}

std::optional<Turn> Ledger::next(const std::string& device_type,
                                 const std::function<bool(const Cell&)>& may_start) {
  for (auto at = left_.begin(); at != left_.end();) {
    const Turn turn = *at;
    State& state = states_[turn.cell];
    const Cell& cell = cells_[turn.cell];
    if (!state.done && (state.running || cell.device() != device_type)) {
      ++at;
      continue;
    }
    if (!state.done && cell.reason_to_skip().empty() && !may_start(cell)) return {};
    at = left_.erase(at);
    if (state.done) continue;
    if (const std::string reason = reason_to_skip(cell); !reason.empty()) {
      skip(turn.cell, reason);
      continue;
    }
    if (state.sofar.blocks.empty()) state.sofar.started = utc_now();
    state.running = true;
    return turn;
  }
  return {};
}

Case Ledger::make_case(const Turn& turn) const {
  const Cell& cell = cells_[turn.cell];
  Case result;
  result.axes = cell.axes;
  result.limits = cell.limits;
  result.block = turn.block;
  result.directory = store_.directory();
  result.corpus = cell.corpus;
  result.data_digest = cell.data_digest;
  return result;
}

double Ledger::timeout_seconds(const Turn& turn) const {
  const Cell& cell = cells_[turn.cell];
  const Timeout timeout =
      parse_timeout(cell.limits["cell_timeout"].get<std::string>(), "cell_timeout");
  double allowed = timeout.seconds;
  if (timeout.times > 0) {
    if (paces_.empty() && !has_predictions_) return 0;  // nothing is known yet
    const double expected = weight(cell) * std::max(1.0, pace()) * cell.blocks;
    allowed = timeout.times * std::max(expected, kLeastExpected);
  }
  for (const BlockResult& block : states_[turn.cell].sofar.blocks) allowed -= block.elapsed_s;
  return std::max(allowed, 1e-3);
}

void Ledger::finish(const Turn& turn, BlockResult block) {
  State& state = states_[turn.cell];
  const Cell& cell = cells_[turn.cell];
  state.running = false;
  const Status status = block.status;
  if (status == Status::kOk) {
    paces_.push_back(block.elapsed_s / weight(cell));
    if (paces_.size() > kRemembered) paces_.pop_front();
  }
  state.sofar.blocks.push_back(std::move(block));
  if (status == Status::kOk && static_cast<int>(state.sofar.blocks.size()) < cell.blocks) {
    store_.append_block(cell.id, state.sofar, options_.fingerprint);
    return;
  }
  if (status == Status::kSkipped) return skip(turn.cell, state.sofar.blocks.back().reason);
  note_out_of_memory(cell, status);
  add_record(turn.cell, make_record(cell.identity(), state.sofar.attempt, state.sofar.blocks,
                                    options_.environment, state.sofar.started));
}

void Ledger::abandon(const Turn& turn) { states_[turn.cell].running = false; }

std::string Ledger::reason_to_skip(const Cell& cell) const {
  if (const std::string reason = cell.reason_to_skip(); !reason.empty()) return reason;
  if (options_.prune) {
    const auto shortest = out_of_memory_.find(cell.row);
    if (shortest != out_of_memory_.end() && cell.length() > shortest->second) {
      return fmt::format("ran out of memory at length {}", shortest->second);
    }
  }
  if (cell.device() != "cpu") return "";  // what a device has free is asked for where it runs
  const double allowed = available_memory() * cell.limits["memory_fraction"].get<double>();
  if (cell.prediction.memory_bytes > allowed) {
    return fmt::format("predicted to need {}, {} of memory may be used",
                       gibibytes(cell.prediction.memory_bytes), gibibytes(allowed));
  }
  return "";
}

/// A cell skipped before is decided on anew; when it is skipped again its record stands.
void Ledger::skip(size_t index, const std::string& reason) {
  const auto earlier = records_.by_id.find(cells_[index].id);
  if (earlier != records_.by_id.end() &&
      earlier->second["status"].get<Status>() == Status::kSkipped) {
    states_[index].done = true;
    ++done_;
    return;
  }
  add_record(index, make_record(cells_[index].identity(), states_[index].sofar.attempt,
                                Status::kSkipped, reason, options_.environment));
}

void Ledger::note_out_of_memory(const Cell& cell, Status status) {
  if (status != Status::kOutOfMemory) return;
  const auto [at, is_first] = out_of_memory_.try_emplace(cell.row, cell.length());
  if (!is_first) at->second = std::min(at->second, cell.length());
}

void Ledger::add_record(size_t index, json record) {
  const json& matched = cells_[index].matched_state;
  if (!matched.empty()) record["notes"]["matched_state"] = matched;
  store_.append(record);
  records_.by_id[cells_[index].id] = record;
  states_[index].done = true;
  ++done_;
  ++new_;
  on_record(cells_[index], record);
}

/// What a block is expected to cost, in the units of the prediction; 1 where nothing is predicted.
double Ledger::weight(const Cell& cell) const {
  if (!has_predictions_) return 1;
  return std::max(cell.prediction.seconds / cell.blocks, 1e-3);
}

double Ledger::pace() const {
  return paces_.empty() ? 1 : median(std::vector(paces_.begin(), paces_.end()));
}

double Ledger::seconds_left() const {
  if (paces_.empty() && !has_predictions_) return -1;
  double left = 0;
  for (const Turn& turn : left_) {
    const Cell& cell = cells_[turn.cell];
    if (states_[turn.cell].done) continue;
    left += has_predictions_ ? cell.predicted_seconds() / cell.blocks : 1;
  }
  return left * pace();
}

std::map<std::string, int> Ledger::statuses() const {
  std::map<std::string, int> counts;
  for (const Cell& cell : cells_) {
    const auto found = records_.by_id.find(cell.id);
    if (found != records_.by_id.end()) ++counts[found->second["status"]];
  }
  return counts;
}

}  // namespace lavo
