// SPDX-License-Identifier: MIT
// The real program, run as a user runs it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "lavo/core/temporary_directory.h"

namespace lavo {

struct Finished {
  int code = 0;  ///< exit code; 128 + the signal's number where one ended it
  std::string out, err;
};

/// Runs `lavo-bench` with these arguments, no shell in between.
Finished run_program(const std::vector<std::string>& arguments);

/// The same program with the experiment of faulty_experiment.cpp, whose cells end as they are told.
Finished run_faulty(const std::vector<std::string>& arguments);
std::string faulty_program();

/// A library for --module that adds the mechanism `extra`.
std::string extra_module();

/// Runs `lavo-gbench`.
Finished run_google_benchmark(const std::vector<std::string>& arguments);

/// One line on stderr that begins with the program's name, nothing on stdout: how every refusal
/// looks.
bool is_one_line_refusal(const Finished& finished);

/// A file of this repository, by its path from the top.
std::string source_file(const std::string& path);

/// A program that goes on while the test does.
class RunningProgram {
 public:
  RunningProgram(const std::string& program, const std::vector<std::string>& arguments);
  /// Kills it where nobody waited.
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  void signal(int number) const;
  std::string output_so_far() const;
  Finished wait();

 private:
  TemporaryDirectory directory_;
  pid_t child_ = -1;
};

}  // namespace lavo
