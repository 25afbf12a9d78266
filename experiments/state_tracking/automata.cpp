// SPDX-License-Identifier: MIT
#include "experiments/state_tracking/automata.h"

namespace lavo {

const std::vector<Automaton>& automata() {
  static const std::vector<Automaton> table = {
      // Whether the ones so far are odd in number.
      {"parity", 2, 2, [](int64_t state, int64_t token) { return state ^ token; }},
  };
  return table;
}

std::vector<std::string> automaton_names() {
  std::vector<std::string> names;
  for (const Automaton& automaton : automata()) names.push_back(automaton.name);
  return names;
}

}  // namespace lavo
