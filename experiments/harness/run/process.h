// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lavo {

constexpr int kReplies = 3;  ///< the child's descriptor for what it answers

/// A child process in a group of its own that speaks lines: it reads them from its standard input
/// and writes them to descriptor 3. Its other output goes to a log file. It ends with this process,
/// however this one ends.
class Process {
 public:
  /// `variables`: "NAME=value", on top of this process's environment. Throws InputError.
  Process(const std::vector<std::string>& command, const std::vector<std::string>& variables,
          const std::filesystem::path& log);
  /// Ends the whole group.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// False when the child is not reading any more.
  bool write_line(const std::string& line);

  /// Lines that are there; does not wait. Sets `ended` when no more will come.
  std::vector<std::string> read_lines(bool& ended);

  /// To poll for input.
  int descriptor() const { return from_child_; }

  /// Kills the group where it still runs, waits, and says how the child ended: "killed by SIGSEGV",
  /// "exited with code 3".
  std::string end();

  /// The last line that was written to the log since construction or the last call of mark_log.
  std::string last_log_line() const;
  void mark_log();

 private:
  pid_t child_ = -1;
  int to_child_ = -1, from_child_ = -1;
  std::string pending_;
  std::string ending_;
  std::filesystem::path log_;
  std::uintmax_t log_mark_ = 0;
};

/// "SIGSEGV"
std::string signal_name(int number);

}  // namespace lavo
