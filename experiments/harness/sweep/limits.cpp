// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/limits.h"

#include <charconv>
#include <cmath>
#include <map>

#include "lavo/core/check.h"

namespace lavo {

Timeout parse_timeout(const std::string& text, const std::string& place) {
  static const std::map<std::string, double> units = {
      {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  const bool known = unit == "x" || units.contains(unit);
  require<OptionError>(error == std::errc() && known && std::isfinite(number) && number > 0,
                       "{}: got '{}', wanted a time above 0: 120s, 500ms, 5m, 2h, or 10x", place,
                       text);
  if (unit == "x") return {.times = number};
  return {.seconds = number * units.at(unit)};
}

}  // namespace lavo
