// SPDX-License-Identifier: MIT
// The real program, run as a user runs it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lavo {

struct Finished {
  int code = 0;  ///< exit code; 128 + the signal's number where one ended it
  std::string out, err;
};

/// Runs `lavo-bench` with these arguments, no shell in between.
Finished run_program(const std::vector<std::string>& arguments);

/// One line on stderr that begins with the program's name, nothing on stdout: how every refusal
/// looks.
bool is_one_line_refusal(const Finished& finished);

/// A file of this repository, by its path from the top.
std::string source_file(const std::string& path);

/// An empty directory, gone with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string file(const std::string& name) const { return path / name; }
  const std::filesystem::path path;
};

}  // namespace lavo
