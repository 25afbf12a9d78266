// SPDX-License-Identifier: MIT
#include "reports/compare/compare_formats.h"

#include <array>

#include "lavo/core/check.h"

namespace lavo::compare {
namespace {

constexpr size_t kRowsOfOneVerdict = 20;
constexpr size_t kMarkdownCharacters = 60000;  // GitHub refuses comments above 65,536

using Line = std::array<std::string, 6>;

Line line_of(const Row& row, const std::string& label) {
  const std::string change = change_text(row);
  std::string last =
      change.empty() || row.reason.empty() ? change + row.reason : change + ", " + row.reason;
  return {std::string(word(row.verdict)),
          label,
          row.metric.empty() ? "status" : row.metric,
          value_text(row.base, row.base_unit.empty() ? row.unit : row.base_unit, row),
          value_text(row.next, row.unit, row),
          std::move(last)};
}

constexpr Line::size_type kFirstNumber = 3, kLastNumber = 4;

const char* colour_of(const Row& row) {
  if (row.fails) return "\x1b[31m";
  switch (row.verdict) {
    case Verdict::kFaster:
    case Verdict::kBetter:
    case Verdict::kFixed:
      return "\x1b[32m";
    case Verdict::kSame:
      return "";
    default:
      return "\x1b[33m";
  }
}

/// Which rows a reader gets to see: at most so many of each verdict.
std::vector<size_t> shown_rows(const Comparison& comparison, bool all) {
  std::vector<size_t> shown;
  std::map<Verdict, size_t> count;
  for (size_t i = 0; i < comparison.rows.size(); ++i) {
    const Verdict verdict = comparison.rows[i].verdict;
    if (all || (verdict != Verdict::kSame && count[verdict]++ < kRowsOfOneVerdict))
      shown.push_back(i);
  }
  return shown;
}

std::string omitted_text(const Comparison& comparison, size_t shown) {
  const size_t same = comparison.count(Verdict::kSame);
  const size_t hidden = comparison.rows.size() - shown;
  if (hidden == 0) return "";
  if (hidden <= same) return fmt::format("{} rows are the same and not listed", hidden);
  return fmt::format("{} rows are not listed, {} of them the same", hidden, same);
}

/// What would be markup, or a mention of somebody, stands as it is.
std::string escape_markdown(const std::string& text) {
  std::string result;
  for (const char c : on_one_line(text)) {
    if (std::string_view("\\`*_{}[]<>#|~@&!").find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

std::string escape_xml(const std::string& text) {
  std::string result;
  for (const char c : on_one_line(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

}  // namespace

std::string as_table(const Comparison& comparison, bool all, bool colour) {
  const Labels labels = short_labels(comparison.rows);
  const std::vector<size_t> shown = shown_rows(comparison, all);
  std::vector<Line> lines = {{"verdict", "cell", "metric", "base", "new", "change"}};
  for (const size_t i : shown) {
    lines.push_back(line_of(comparison.rows[i], labels.rows[i]));
    for (std::string& field : lines.back()) field = on_one_line(field);
  }
  std::array<size_t, 6> width{};
  for (const Line& line : lines) {
    for (size_t c = 0; c < line.size(); ++c) width[c] = std::max(width[c], line[c].size());
  }
  std::string text =
      fmt::format("base   {}\nnew    {}\nbuild  {}\ncells  {}\n\n", on_one_line(comparison.base),
                  on_one_line(comparison.next),
                  on_one_line(builds_text(comparison.base_builds, comparison.next_builds)),
                  on_one_line(labels.common));
  for (size_t i = 0; i < lines.size() && lines.size() > 1; ++i) {
    const std::string on = colour && i > 0 ? colour_of(comparison.rows[shown[i - 1]]) : "";
    std::string line;
    for (size_t c = 0; c < lines[i].size(); ++c) {
      const bool right = c >= kFirstNumber && c <= kLastNumber;
      if (c > 0) line += "  ";
      if (c == 0) line += on;
      if (c + 1 == lines[i].size()) {
        line += lines[i][c];
      } else {
        line += right ? fmt::format("{:>{}}", lines[i][c], width[c])
                      : fmt::format("{:<{}}", lines[i][c], width[c]);
      }
      if (c == 0 && !on.empty()) line += "\x1b[0m";
    }
    while (line.ends_with(' ')) line.pop_back();
    text += line + "\n";
  }
  if (lines.size() > 1) text += "\n";
  if (const std::string omitted = omitted_text(comparison, shown.size()); !omitted.empty())
    text += omitted + "\n";
  for (const GeometricMean& mean : comparison.means)
    text += "geometric mean of " + on_one_line(mean_text(mean)) + "\n";
  for (const std::string& note : comparison.notes) text += "note: " + on_one_line(note) + "\n";
  return text + conclusion(comparison) + "\n";
}

std::string as_markdown(const Comparison& comparison) {
  const Labels labels = short_labels(comparison.rows);
  std::string text =
      fmt::format("### lavo-bench compare: {}\n\n", escape_markdown(conclusion(comparison)));
  const std::string builds = builds_text(comparison.base_builds, comparison.next_builds);
  text += fmt::format("base: {}  \nnew: {}  \nbuild: {}  \ncells: {}\n\n",
                      escape_markdown(comparison.base), escape_markdown(comparison.next),
                      escape_markdown(builds), escape_markdown(labels.common));
  std::string end;
  for (const GeometricMean& mean : comparison.means)
    end += "- geometric mean of " + escape_markdown(mean_text(mean)) + "\n";
  for (const std::string& note : comparison.notes) end += "- " + escape_markdown(note) + "\n";
  const std::vector<size_t> shown = shown_rows(comparison, false);
  size_t listed = 0;
  for (const size_t i : shown) {
    std::string line = "|";
    for (const std::string& field : line_of(comparison.rows[i], labels.rows[i]))
      line += " " + escape_markdown(field) + " |";
    if (text.size() + line.size() + end.size() > kMarkdownCharacters) break;
    if (listed++ == 0)
      text += "| verdict | cell | metric | base | new | change |\n|---|---|---|--:|--:|---|\n";
    text += line + "\n";
  }
  if (listed > 0) text += "\n";
  if (const std::string omitted = omitted_text(comparison, listed); !omitted.empty())
    end = "- " + omitted + "\n" + end;
  return (text + end).substr(0, kMarkdownCharacters);
}

json as_json(const Comparison& comparison) {
  json document = {{"schema", "lavo.comparison/1"},
                   {"base", {{"source", comparison.base}, {"builds", comparison.base_builds}}},
                   {"new", {{"source", comparison.next}, {"builds", comparison.next_builds}}},
                   {"machine", comparison.machine},
                   {"exit_code", exit_code(comparison)},
                   {"conclusion", conclusion(comparison)},
                   {"notes", comparison.notes},
                   {"counts", json::object()},
                   {"geometric_means", json::array()},
                   {"rows", json::array()}};
  for (int i = 0; i <= static_cast<int>(Verdict::kSame); ++i) {
    const auto verdict = static_cast<Verdict>(i);
    document["counts"][std::string(word(verdict))] = comparison.count(verdict);
  }
  const auto interval = [](const std::optional<Interval>& ends) {
    return ends ? json{ends->low, ends->high} : json();
  };
  const auto optional = [](const std::optional<double>& value) {
    return value ? json(*value) : json();
  };
  for (const GeometricMean& mean : comparison.means) {
    document["geometric_means"].push_back({{"metric", mean.metric},
                                           {"cells", mean.cells},
                                           {"ratio", mean.ratio},
                                           {"ci95", interval(mean.interval)}});
  }
  for (const Row& row : comparison.rows) {
    json metric = row.metric.empty() ? json() : json(row.metric);
    document["rows"].push_back({{"cell", row.cell},
                                {"experiment", row.experiment},
                                {"axes", row.axes},
                                {"metric", std::move(metric)},
                                {"kind", row.kind ? json(*row.kind) : json()},
                                {"unit", row.unit.empty() ? json() : json(row.unit)},
                                {"verdict", word(row.verdict)},
                                {"fails", row.fails},
                                {"base", optional(row.base)},
                                {"new", optional(row.next)},
                                {"ratio", optional(row.ratio)},
                                {"ci95", interval(row.interval)},
                                {"false_discovery_rate", optional(row.false_discovery_rate)},
                                {"margin", optional(row.margin)},
                                {"reason", row.reason.empty() ? json() : json(row.reason)}});
    if (!row.base_unit.empty()) document["rows"].back()["base_unit"] = row.base_unit;
  }
  return document;
}

std::string as_junit(const Comparison& comparison) {
  const auto silent = [](const Row& row) {
    return row.verdict == Verdict::kInconclusive || row.verdict == Verdict::kIncomparable ||
           row.verdict == Verdict::kNew || row.verdict == Verdict::kMissing;
  };
  std::string cases;
  size_t failures = 0, skipped = 0;
  for (const Row& row : comparison.rows) {
    const Line line = line_of(row, row.cell);
    const std::string message =
        escape_xml(fmt::format("{}: {} -> {} {}", line[0], line[3], line[4], line[5]));
    cases +=
        fmt::format("    <testcase classname=\"{}\" name=\"{}\"", escape_xml(row.experiment),
                    escape_xml(row.metric.empty() ? row.cell : row.cell + "/metric:" + row.metric));
    if (row.fails) {
      ++failures;
      cases += fmt::format("><failure type=\"{}\" message=\"{}\"/></testcase>\n", line[0], message);
    } else if (silent(row)) {
      ++skipped;
      cases += fmt::format("><skipped message=\"{}\"/></testcase>\n", message);
    } else {
      cases += "/>\n";
    }
  }
  const std::string counts = fmt::format("tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\"",
                                         comparison.rows.size(), failures, skipped);
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {}>\n"
      "  <testsuite name=\"lavo-bench compare\" {}>\n{}  </testsuite>\n</testsuites>\n",
      counts, counts, cases);
}

}  // namespace lavo::compare
