// SPDX-License-Identifier: MIT
// Text for the page. What comes from records enters only through escape(); every number that the
// page shows carries its exact value and how it was made, so that it can be looked up.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lavo::report {

/// A piece of HTML. Made only by the functions below.
struct Html {
  std::string text;
  Html& operator+=(const Html& more) {
    text += more.text;
    return *this;
  }
  friend Html operator+(Html a, const Html& b) { return a += b; }
};

Html escape(std::string_view text);
Html operator""_html(const char* text, size_t size);  ///< our own words and tags, as they are

/// How a number was made from results.json; the page explains each in one sentence.
enum class By {
  kRecord,            ///< it stands there
  kSeeds,             ///< mean over seeds, and the interval of that mean
  kRatio,             ///< one median over another
  kEfficiencyLength,  ///< where two curves cross
  kExponent,          ///< slope of a fit
  kDifference,        ///< mean of paired differences
  kReciprocal,        ///< one over a mean
  kCount              ///< how many cells
};
std::string_view name_of(By by);         ///< "ratio"
std::string_view explanation_of(By by);  ///< one sentence

/// "1.23 ms", "4.5 MiB", "3.1x": three digits that count, in the unit's best size.
std::string format_quantity(double value, std::string_view unit);
/// 1024 -> "1K", 1000 -> "1000"
std::string format_length(double tokens);

Html number(double value, std::string_view unit, By by = By::kRecord);
Html tokens(double value, By by = By::kRecord);
/// "1.23 ms [1.20, 1.26]"
Html number(double value, const std::optional<std::pair<double, double>>& interval,
            std::string_view unit, By by = By::kRecord);

struct TableCell {
  Html html;
  std::optional<double> order = {};  ///< sorts the column by this; by the text when unset
};
struct Table {
  std::string caption;
  std::vector<std::string> columns;
  std::vector<std::vector<TableCell>> rows;
};
Html render(const Table& table);

}  // namespace lavo::report
