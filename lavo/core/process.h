// SPDX-License-Identifier: MIT
// Other programs: run and waited for, and spelt for a shell.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lavo {

struct Ran {
  int code = 0;  ///< exit code; 128 + the signal where one ended it; 127 when it could not start
  std::string output;  ///< stdout and stderr together, unless they went into a log
};

/// Runs a program (a path, or a name on PATH) with these arguments, no shell in between, and waits
/// for it. It reads nothing, and ends with this process. Where `log` is given its output goes
/// there.
Ran run_and_wait(const std::vector<std::string>& command, const std::filesystem::path& log = {});

/// A word as a POSIX shell reads it back: 'it'\''s'.
std::string shell_quoted(const std::string& word);

}  // namespace lavo
