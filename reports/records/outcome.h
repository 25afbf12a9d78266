// SPDX-License-Identifier: MIT
// What a cell measured.
#pragma once

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lavo/core/options.h"

namespace lavo {

/// One measured quantity. A metric that could not be measured is not there; there is no NaN.
struct Metric {
  double value = 0;
  std::string unit;    ///< "ms", "B", "bit/byte", "1"
  std::string better;  ///< lower, higher, none
  std::string kind;  ///< timing (noisy), exact (bytes, FLOPs), bound (an error), seeded (depends on
                     ///< the seed only)
  std::optional<std::pair<double, double>> ci95 = {};
  std::vector<double> samples = {};
  std::vector<int64_t> blocks = {};  ///< how `samples` divides into blocks
};

struct Series {
  std::string x;     ///< what the first number of a point is: "context", "position", "offset"
  std::string unit;  ///< of the second
  std::vector<std::pair<double, double>> points;
};

/// What one block of one cell measured.
struct Outcome {
  std::map<std::string, Metric> metrics;
  std::map<std::string, Series> series;
  json notes =
      json::object();  ///< small facts for the record: rows checked, worst error, tokens trained on
};

/// A cell ends without a result; the status goes into its record. Anything else that is thrown is
/// `error`, and c10::OutOfMemoryError is `out_of_memory`.
struct CellFailure : std::runtime_error {
  CellFailure(std::string ending, const std::string& reason)
      : std::runtime_error(reason), status(std::move(ending)) {}
  std::string status;  ///< skipped, wrong, not_finite, error
};

}  // namespace lavo
