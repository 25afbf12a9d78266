// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "lavo/core/options.h"

namespace lavo {

/// [limits] of a sweep: how much a cell may cost and how long it is measured. None of it is part of
/// a cell's id: a limit changes whether and how well a cell is measured, not what it measures.
struct Limits {
  std::string cell_timeout = "1h";
  std::optional<double> call_seconds;
  double memory_fraction = 0.9;
  int64_t blocks = 3;
  double block_seconds = 0.3;

  void visit(OptionVisitor& v) {
    v.text("cell_timeout", cell_timeout,
           "a cell is ended after this time: 120s, 5m, 2h, or 10x what it was expected to take");
    v.number("call_seconds", call_seconds, above(0),
             "s; a cell is skipped when one call is predicted to take longer");
    v.number("memory_fraction", memory_fraction, {0, 1, false, true},
             "of the available memory that a cell may be predicted to need, and may take");
    v.integer("blocks", blocks, between(1, 1000),
              "a timed cell is measured in so many blocks, interleaved over the sweep");
    v.number("block_seconds", block_seconds, above(0), "s; measured in each block of a timed cell");
  }
};

/// "120s" or "10x".
struct Timeout {
  double seconds = 0;  ///< 0 when relative
  double times = 0;    ///< of the expected time; 0 when absolute
};

/// Throws OptionError naming `place`.
Timeout parse_timeout(const std::string& text, const std::string& place);

}  // namespace lavo
