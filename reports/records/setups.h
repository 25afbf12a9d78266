// SPDX-License-Identifier: MIT
// What numbers were measured on and by. Numbers of different setups say nothing about each other:
// no ratio, crossing or difference is made of them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "lavo/core/options.h"

namespace lavo {

/// Environments that are one machine and one build; their circumstances may differ.
struct Setup {
  json machine, build;
  std::set<std::string> environments;  ///< ids
};

/// In the order of the ids.
std::vector<Setup> setups_of(const json& environments);

/// "2 machines or builds, whose numbers are not compared with each other: cpu_model "A", "B"", or
/// "" where there is one setup.
std::string difference_text(const std::vector<Setup>& setups);

/// What sets one apart from the others: "cpu_model A, commit 12ab"; "" where it is the only one.
std::string setup_name(const std::vector<Setup>& setups, size_t which);

}  // namespace lavo
