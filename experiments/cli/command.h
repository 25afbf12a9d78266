// SPDX-License-Identifier: MIT
// A subcommand is one file with one function that adds it to the program and one line in main.cpp.
#pragma once

#include <CLI/CLI.hpp>

namespace lavo {

/// Exit codes of the program: contracts that scripts rely on.
enum ExitCode : int {
  kSuccess = 0,
  kFailure = 1,       ///< a disagreement, a regression, out of memory
  kBadInput = 2,      ///< what the user can mend; one line on stderr says what
  kInconclusive = 3,  ///< compare --strict
  kIncomparable = 4,  ///< compare: other machines
  kRequeue = 75,      ///< asked to stop by SIGTERM or SIGUSR1: run again to go on
  kInterrupted = 130  ///< Ctrl-C
};

/// Adds a subcommand with its options and examples; its callback sets `exit_code`, or throws Error.
using AddCommand = void (*)(CLI::App& program, int& exit_code);

}  // namespace lavo
