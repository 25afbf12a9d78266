// SPDX-License-Identifier: MIT
// What a cell measured, and its JSON.
#pragma once

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lavo/core/options.h"
#include "reports/records/words.h"

namespace lavo {

/// One measured quantity. A metric that could not be measured is not there; there is no NaN.
struct Metric {
  double value = 0;
  std::string unit;  ///< of value, ci95 and samples: "ms", "B", "bit/byte", "1"
  Better better = Better::kNone;
  Kind kind = Kind::kExact;
  std::optional<std::pair<double, double>> ci95 = {};  ///< 95 % interval of value
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
  json notes = json::object();  ///< small facts: rows checked, worst error, tokens trained on
};

/// A cell ends without a result; the status goes into its record. Anything else that is thrown is
/// kError, and c10::OutOfMemoryError is kOutOfMemory.
struct CellFailure : std::runtime_error {
  CellFailure(Status ending, const std::string& reason)
      : std::runtime_error(reason), status(ending) {}
  Status status;
};

json to_json(const Metric& metric);
json to_json(const Outcome& outcome);
Metric metric_from_json(const json& from);
/// Points that were not finite, and so are null in the file, are left out.
Series series_from_json(const json& from);

/// One metric of several blocks. Samples of a timing are put together, its value is their median
/// with an interval over blocks. Of an exact metric and of a bound the worst block counts, of a
/// seeded one the first.
Metric merged(const std::vector<Metric>& blocks);

/// "metric 'time' is not finite" or "": JSON has no NaN, and a record never holds one.
std::string find_not_finite(const Outcome& outcome);

}  // namespace lavo
