// SPDX-License-Identifier: MIT
// Options that mean something only together, for the conformance tests: beside them, every option is
// tried alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lavo/core/options.h"

namespace lavo {

inline const std::map<std::string, std::vector<json>> kCombinations = {
    {"lavo",
     {{{"memory", "slots"}, {"unit", true}, {"temperature", 3.0}, {"bases_init", "sphere"}},
      {{"memory", "slots"}, {"slot_gate", true}, {"decay", "multiscale"}, {"dissect", false}},
      {{"memory", "slots"},
       {"temperature", "learned"},
       {"unit", true},
       {"bases_train", "orthogonal"}},
      {{"memory", "address"}, {"slot_gate", true}, {"unit", true}, {"mix", "learned"}},
      {{"memory", "address"}, {"write", "sum"}, {"temperature", "learned"}, {"bases", 11}},
      {{"memory", "address"}, {"write", "sum"}, {"decay", 0.5}, {"dissect", false}},
      {{"memory", "address"}, {"write", "delta"}, {"unit", true}, {"dissect", false}},
      {{"memory", "address"}, {"write", "delta"}, {"slot_gate", true}, {"decay", "multiscale"}}}},
};

}  // namespace lavo
