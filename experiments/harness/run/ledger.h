// SPDX-License-Identifier: MIT
// What is done, what is running and what is left of a run: decides which block comes next, and
// turns results into records.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/harness/store.h"
#include "experiments/harness/sweep/schedule.h"
#include "reports/records/run_directory.h"

namespace lavo {

struct LedgerOptions {
  std::string retry;        ///< "", failed, crashed, all: which records do not count as done
  bool prune = true;        ///< skip the longer lengths of a row that ran out of memory
  std::string environment;  ///< for the records
  std::string fingerprint;  ///< for unfinished blocks
};

class Ledger {
 public:
  /// `cells`: of this shard; `all`: of the whole plan, whose records tell what ran out of memory.
  Ledger(std::vector<Cell> cells, const std::vector<Cell>& all, Store& store, Records records,
         LedgerOptions options);

  const std::vector<Cell>& cells() const { return cells_; }

  /// The next block for a device of this type, none of whose cell is running; nothing when that one
  /// may not start now. Cells that are to be skipped get their records on the way.
  std::optional<Turn> next(const std::string& device_type,
                           const std::function<bool(const Cell&)>& may_start);
  Case make_case(const Turn& turn) const;
  /// s; what the block may still take, or 0 for as long as it wants.
  double timeout_seconds(const Turn& turn) const;

  void finish(const Turn& turn, BlockResult result);
  /// The block was broken off by the user: nothing is recorded.
  void abandon(const Turn& turn);

  /// Called with every new record.
  std::function<void(const Cell&, const json& record)> on_record = [](const Cell&, const json&) {};

  int done() const { return done_; }     ///< cells with a record that stands
  int recorded() const { return new_; }  ///< records written in this run
  double seconds_left() const;           ///< estimated from what has run so far; < 0 while unknown
  std::map<std::string, int> statuses() const;  ///< of all cells that have a record

 private:
  struct State {
    bool done = false;
    bool running = false;
    Store::Unfinished sofar;
  };

  std::string reason_to_skip(const Cell& cell) const;
  void skip(size_t index, const std::string& reason);
  void note_out_of_memory(const Cell& cell, Status status);
  void add_record(size_t index, json record);
  double weight(const Cell& cell) const;
  double pace() const;

  std::vector<Cell> cells_;
  Store& store_;
  Records records_;
  LedgerOptions options_;
  std::vector<State> states_;
  std::list<Turn> left_;
  std::map<std::string, double> out_of_memory_;  ///< row -> the shortest length that did
  int done_ = 0, new_ = 0;
  bool has_predictions_ = false;
  std::deque<double> paces_;  ///< of the last blocks: measured time over predicted
};

/// Whether the record of an earlier attempt stands, or the cell is to be run (again).
bool is_done(const json& record, const std::string& retry);

}  // namespace lavo
