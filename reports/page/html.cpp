// SPDX-License-Identifier: MIT
#include "reports/page/html.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "lavo/core/check.h"

namespace lavo::report {
namespace {

struct Scaled {
  double factor;
  std::string_view unit;
};

/// The size of a unit in which the value reads best.
Scaled scale(double value, std::string_view unit) {
  const double size = std::abs(value);
  if (unit == "ms") {
    if (size >= 1000) return {1e-3, "s"};
    if (size < 1 && size > 0) return {1e3, "µs"};
  }
  if (unit == "B") {
    if (size >= 0x1p30) return {0x1p-30, "GiB"};
    if (size >= 0x1p20) return {0x1p-20, "MiB"};
    if (size >= 0x1p10) return {0x1p-10, "KiB"};
  }
  return {1, unit};
}

/// Three digits that count: 1230, 123, 12.3, 0.123, 1.2e-07.
std::string digits(double value) {
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (size < 1e-3 || size >= 1e7) return fmt::format("{:.2e}", value);
  const int decimals = std::max(0, 2 - static_cast<int>(std::floor(std::log10(size))));
  if (size >= 1000 || std::floor(value) == value) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}", value, decimals);
}

std::string_view suffix(std::string_view unit) { return unit == "1" ? "" : unit; }

Html data(double value, const std::string& shown, By by) {
  const std::string how = by == By::kRecord ? "" : fmt::format(" data-by=\"{}\"", name_of(by));
  return {fmt::format("<data value=\"{}\"{}>{}</data>", value, how, escape(shown).text)};
}

}  // namespace

Html escape(std::string_view text) {
  Html html;
  for (const char c : on_one_line(text)) {
    switch (c) {
      case '&':
        html.text += "&amp;";
        break;
      case '<':
        html.text += "&lt;";
        break;
      case '>':
        html.text += "&gt;";
        break;
      case '"':
        html.text += "&quot;";
        break;
      case '\'':
        html.text += "&#39;";
        break;
      default:
        html.text += c;
    }
  }
  return html;
}

Html operator""_html(const char* text, size_t size) { return {std::string(text, size)}; }

namespace {
struct Way {
  std::string_view name, explanation;
};
constexpr std::array kWays = {
    Way{"record", "the value stands in results.json"},
    Way{"seeds",
        "the mean over the seeds of one configuration, and Student's 95 % interval of that mean"},
    Way{"ratio",
        "the quotient of two medians that stand in results.json; its 95 % interval is a bootstrap "
        "over "
        "blocks of samples"},
    Way{"efficiency-length",
        "the shortest length from which the curve stays below the baseline's at every longer "
        "length that both measured, interpolated on logarithmic axes; its 95 % interval is a "
        "bootstrap over blocks of samples"},
    Way{"exponent",
        "the slope of a least-squares line through log(value) over log(length) for lengths of 2K "
        "tokens and more, with Student's 95 % interval"},
    Way{"difference",
        "the mean over seeds of the differences at equal seed, with Student's 95 % interval"},
    Way{"reciprocal", "one over the mean, over seeds, of a rate that stands in results.json"},
    Way{"count", "the number of cells"},
};
}  // namespace

std::string_view name_of(By by) { return kWays[static_cast<size_t>(by)].name; }
std::string_view explanation_of(By by) { return kWays[static_cast<size_t>(by)].explanation; }

std::string format_quantity(double value, std::string_view unit) {
  const Scaled scaled = scale(value, unit);
  const std::string_view shown = suffix(scaled.unit);
  return digits(value * scaled.factor) + (shown.empty() || shown == "x" ? "" : " ") +
         std::string(shown == "x" ? "×" : shown);
}

std::string format_length(double tokens) {
  for (const auto& [size, letter] : {std::pair{0x1p20, 'M'}, std::pair{0x1p10, 'K'}}) {
    if (tokens >= size && std::fmod(tokens, size) == 0) {
      return fmt::format("{:.0f}{}", tokens / size, letter);
    }
  }
  return digits(tokens);
}

Html number(double value, std::string_view unit, By by) {
  return data(value, format_quantity(value, unit), by);
}

Html tokens(double value, By by) { return data(value, format_length(value), by); }

Html number(double value, const std::optional<std::pair<double, double>>& interval,
            std::string_view unit, By by) {
  Html html = number(value, unit, by);
  if (!interval) return html;
  const double factor = scale(value, unit).factor;
  return html + " <span class=ci>["_html +
         data(interval->first, digits(interval->first * factor), by) + ", "_html +
         data(interval->second, digits(interval->second * factor), by) + "]</span>"_html;
}

Html render(const Table& table) {
  Html html = "<div class=table><table>"_html;
  if (!table.caption.empty()) {
    html += "<caption>"_html + escape(table.caption) + "</caption>"_html;
  }
  html += "<thead><tr>"_html;
  for (const std::string& column : table.columns) {
    html += "<th scope=col><button>"_html + escape(column) + "</button></th>"_html;
  }
  html += "</tr></thead><tbody>"_html;
  for (const auto& row : table.rows) {
    html += "<tr>"_html;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string order =
          row[i].order ? fmt::format(" data-order=\"{}\"", *row[i].order) : "";
      html.text += i == 0 ? "<th scope=row" + order + ">" : "<td" + order + ">";
      html += row[i].html + (i == 0 ? "</th>"_html : "</td>"_html);
    }
    html += "</tr>\n"_html;
  }
  return html + "</tbody></table></div>\n"_html;
}

}  // namespace lavo::report
