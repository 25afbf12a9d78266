// SPDX-License-Identifier: MIT
// The files of a run's directory:
//
//   cells.jsonl            a record a line, appended and synced
//   blocks.jsonl           finished blocks of timed cells that are not done yet
//   cells.2-of-5.jsonl     a shard has its own of both
//   environments/ID.json   what the records' `environment` refers to
//   mechanisms/NAME.json   title and options of the mechanisms that the records name
//   plans/SWEEP.json       what was last asked for of a sweep: `status` and reports read it
//   results.json           everything merged, one record a cell; written whenever a run ends
//   worker.log             what workers printed
//
// Nothing is ever rewritten in place.
// A file of lines has one writer, and every shard reads what all others have written: any number of
// processes may share a directory, over NFS too.
// Reading and merging: reports/records/run_directory.h.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "experiments/harness/sweep/plan.h"
#include "reports/records/record.h"

namespace lavo {

/// A file of JSON lines that is only appended to. Each line is synced to disk before append
/// returns; a line that could not be written whole is taken back.
class JsonLines {
 public:
  /// Creates the file, or cuts off a torn tail. Throws InputError where another process writes it
  /// (as far as the file system can tell).
  explicit JsonLines(std::filesystem::path path);
  ~JsonLines();
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  void append(const json& line);

  const std::filesystem::path& path() const { return path_; }

 private:
  void mend();

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// What one process writes.
class Store {
 public:
  /// Creates the directory; `fresh` sets aside what earlier runs wrote there, in DIR/before-TIME.
  /// Throws InputError where it cannot be written.
  Store(std::filesystem::path directory, Shard shard, bool fresh = false);

  const std::filesystem::path& directory() const { return directory_; }
  void append(const json& record) { cells_.append(record); }

  /// Finished blocks of a cell whose record is still to come, and the attempt they belong to. Kept
  /// with the fingerprint of what measured them: another machine or build does not go on with them.
  struct Unfinished {
    int attempt = 1;
    std::string started;
    std::vector<BlockResult> blocks;
  };
  void append_block(const std::string& id, const Unfinished& sofar, const std::string& fingerprint);
  std::map<std::string, Unfinished> read_blocks(const std::string& fingerprint) const;
  /// Once every cell is done nothing needs the blocks.
  void drop_blocks();

  void write_environment(const std::string& id, const json& environment);
  /// `asked`: the selectors of the command line.
  void write_plans(const Plan& plan, const json& asked);

 private:
  std::filesystem::path directory_;
  JsonLines cells_, blocks_;
};

}  // namespace lavo
