// SPDX-License-Identifier: MIT
// A subcommand is one file with one function that adds it to the program and one line in main.cpp.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <limits>

namespace lavo {

/// For check(): a finite number in [low, high]. CLI11's own lets NaN pass and prints 300 digits.
inline CLI::Validator number_in(double low, double high = std::numeric_limits<double>::infinity()) {
  const std::string wanted =
      std::isinf(high) ? fmt::format(">= {}", low) : fmt::format("in {} ... {}", low, high);
  const auto refusal = [=](std::string& text) -> std::string {
    double number = 0;
    const bool fits = CLI::detail::lexical_cast(text, number) && std::isfinite(number) &&
                      low <= number && number <= high;
    return fits ? "" : fmt::format("must be a number {}, got '{}'", wanted, text);
  };
  return {refusal, "FLOAT " + wanted};
}

/// For check(): an integer from 0 on that fits 64 bits; CLI11 takes larger ones for the largest.
inline CLI::Validator integer_at_least_zero() {
  const auto refusal = [](std::string& text) -> std::string {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool fits = error == std::errc() && end == text.data() + text.size() && number >= 0;
    return fits ? "" : fmt::format("must be an integer 0 ... 2^63 - 1, got '{}'", text);
  };
  return {refusal, "NONNEGATIVE"};
}

/// For check(): an option whose value is empty is a mistake (an unset shell variable), not absent.
inline CLI::Validator not_empty() {
  const auto refusal = [](std::string& text) -> std::string {
    return text.empty() ? "must not be empty" : "";
  };
  return {refusal, ""};
}

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
