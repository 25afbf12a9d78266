// SPDX-License-Identifier: MIT
// What is tracked: the state of a small automaton that reads the tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lavo {

struct Automaton {
  std::string name;
  int64_t tokens;  ///< kinds that it reads, all equally likely
  int64_t states;  ///< it starts in state 0
  int64_t (*next)(int64_t state, int64_t token);

  /// Of a guess, where each state is equally likely.
  double chance() const { return 1 / static_cast<double>(states); }
};

/// The table; the order is that of the axis `task`.
const std::vector<Automaton>& automata();
std::vector<std::string> automaton_names();

}  // namespace lavo
