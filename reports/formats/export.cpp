// SPDX-License-Identifier: MIT
#include "reports/formats/export.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/cell_name.h"

namespace lavo {
namespace {

using compare::Cell;
using compare::Input;

/// Names are keys for every consumer, so cells that differ in their data alone get their id behind
/// it.
std::string key_of(const Input& input, const Cell& cell) {
  const auto same = [&](const Cell& other) { return other.name == cell.name; };
  return std::ranges::count_if(input.cells, same) == 1 ? cell.name : cell.name + "/id:" + cell.id;
}

std::optional<double> nanoseconds(const Metric& metric) {
  static const std::map<std::string, double> units = {
      {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
  const auto unit = units.find(metric.unit);
  if (metric.kind != Kind::kTiming || unit == units.end()) return std::nullopt;
  return unit->second;
}

json google_context(const Input& input) {
  std::string date;
  for (const Cell& cell : input.cells) date = std::max(date, cell.started);
  const json& machine = input.environment(input.cells.front()).at("machine");
  return {{"date", date},
          {"host_name", ""},
          {"executable", "lavo-bench"},
          {"num_cpus", machine.value("cores", 1)},
          {"mhz_per_cpu", 0},
          {"cpu_scaling_enabled", false},
          {"caches", json::array()},  // Bencher refuses a file without this list
          {"load_avg", json::array()},
          {"library_build_type", "release"},
          {"json_schema_version", 1},
          {"cpu_model", machine.value("cpu_model", json())}};
}

/// The fields that are the same in every repetition.
json google_row(const std::string& name, const Cell& cell, size_t family) {
  json row = {{"name", name},
              {"family_index", family},
              {"per_family_instance_index", 0},
              {"run_name", name},
              {"run_type", "iteration"},
              {"threads", cell.axes.contains("threads") && cell.axes.at("threads").is_number()
                              ? cell.axes.at("threads")
                              : json(1)},
              {"iterations", 1},
              {"time_unit", "ns"}};
  for (const auto& [metric, value] : cell.metrics) {
    if (metric != "time" && !row.contains(metric)) row[metric] = value.value;
  }
  return row;
}

json google_repetition(json row, double time, size_t index, size_t count) {
  row["real_time"] = row["cpu_time"] = time;
  row["repetitions"] = count;
  row["repetition_index"] = index;
  return row;
}

Export google_benchmark(const Input& input) {
  json all = {{"context", google_context(input)}, {"benchmarks", json::array()}};
  json medians = all;
  size_t family = 0, left_out = 0;
  for (const Cell& cell : input.cells) {
    const auto time = cell.metrics.find("time");
    const auto unit = time == cell.metrics.end() ? std::nullopt : nanoseconds(time->second);
    if (!unit) {
      ++left_out;
      continue;
    }
    const json row = google_row(key_of(input, cell), cell, family++);
    const Metric& metric = time->second;
    const std::vector<double> samples =
        metric.samples.empty() ? std::vector{metric.value} : metric.samples;
    for (size_t i = 0; i < samples.size(); ++i)
      all["benchmarks"].push_back(google_repetition(row, samples[i] * *unit, i, samples.size()));
    medians["benchmarks"].push_back(google_repetition(row, metric.value * *unit, 0, 1));
  }
  Export result;
  if (family > 0) {
    result.files = {{"google-benchmark.json", json_text(all, 1)},
                    {"google-benchmark-ci.json", json_text(medians, 1)}};
  }
  if (left_out > 0)
    result.notes.push_back(fmt::format("{} cells have no time, and are left out", left_out));
  return result;
}

Export github_action(const Input& input) {
  json smaller = json::array(), bigger = json::array();
  for (const Cell& cell : input.cells) {
    for (const auto& [name, metric] : cell.metrics) {
      if (metric.better == Better::kNone) continue;
      json entry = {{"name", key_of(input, cell) + "/metric:" + name},
                    {"value", metric.value},
                    {"unit", metric.unit}};
      if (metric.ci95) {
        const auto [low, high] = *metric.ci95;
        entry["range"] =
            fmt::format("\u00b1 {:.4g}", std::max(high - metric.value, metric.value - low));
      }
      if (!metric.samples.empty())
        entry["extra"] = fmt::format("{} samples", metric.samples.size());
      (metric.better == Better::kLower ? smaller : bigger).push_back(std::move(entry));
    }
  }
  Export result;
  if (!smaller.empty())
    result.files.push_back({"github-action-smaller.json", json_text(smaller, 1)});
  if (!bigger.empty()) result.files.push_back({"github-action-bigger.json", json_text(bigger, 1)});
  return result;
}

Export bencher(const Input& input) {
  json report = json::object();
  for (const Cell& cell : input.cells) {
    for (const auto& [name, metric] : cell.metrics) {
      json& entry = report[key_of(input, cell)][name];
      entry["value"] = metric.value;
      if (!metric.ci95) continue;
      entry["lower_value"] = std::min(metric.ci95->first, metric.value);
      entry["upper_value"] = std::max(metric.ci95->second, metric.value);
    }
  }
  if (report.empty()) return {};
  return {{{"bencher.json", json_text(report, 1)}}, {}};
}

/// Text that a spreadsheet would run as a formula gets an apostrophe in front, as OWASP's page on
/// CSV injection asks; so does text that begins with one, so that one apostrophe can always be
/// taken off again. Numbers are no text.
std::string csv_text(const std::string& text) {
  constexpr std::string_view kStarts[] = {"=",  "+", "-",  "@",  "\t", "\r",
                                          "\n", "'", "＝", "＋", "－", "＠"};
  const bool live =
      std::ranges::any_of(kStarts, [&](std::string_view start) { return text.starts_with(start); });
  return live ? "'" + text : text;
}

std::string csv_value(const json& value) {
  return value.is_string() ? csv_text(value) : axis_text(value);
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",;'\"\t\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) line += (line.empty() ? "" : ",") + csv_field(field);
  return line + "\n";
}

Export csv(const Input& input) {
  std::set<std::string> axes;
  for (const Cell& cell : input.cells) {
    for (const auto& [axis, value] : cell.axes.items()) axes.insert(axis);
  }
  std::vector<std::string> header = {"id", "experiment", "status", "reason"};
  const std::vector<std::string> end = {"metric", "value",      "unit",      "better",
                                        "kind",   "ci95_low",   "ci95_high", "samples",
                                        "blocks", "environment"};
  std::set<std::string> taken(header.begin(), header.end());
  taken.insert(end.begin(), end.end());
  for (const std::string& axis : axes)
    header.push_back(csv_text(taken.contains(axis) ? "axis_" + axis : axis));
  header.insert(header.end(), end.begin(), end.end());
  std::string text = csv_line(header);
  for (const Cell& cell : input.cells) {
    std::vector<std::string> start = {cell.id, csv_text(cell.experiment), word(cell.status),
                                      csv_text(cell.reason)};
    for (const std::string& axis : axes)
      start.push_back(cell.axes.contains(axis) ? csv_value(cell.axes.at(axis)) : "");
    const auto add = [&](const std::vector<std::string>& rest) {
      std::vector<std::string> fields = start;
      fields.insert(fields.end(), rest.begin(), rest.end());
      fields.push_back(csv_text(cell.environment));
      text += csv_line(fields);
    };
    if (cell.metrics.empty()) add(std::vector<std::string>(9));
    for (const auto& [name, metric] : cell.metrics) {
      const auto number = [](double value) { return fmt::format("{}", value); };
      add({csv_text(name), number(metric.value), csv_text(metric.unit), word(metric.better),
           word(metric.kind), metric.ci95 ? number(metric.ci95->first) : "",
           metric.ci95 ? number(metric.ci95->second) : "", fmt::format("{}", metric.samples.size()),
           fmt::format("{}", metric.blocks.size())});
    }
  }
  return {{{"cells.csv", text}}, {}};
}

}  // namespace

Export export_results(const Input& input, const std::string& format) {
  using Writer = Export (*)(const Input&);
  static const std::map<std::string, Writer> writers = {{"bencher", bencher},
                                                        {"csv", csv},
                                                        {"github-action", github_action},
                                                        {"google-benchmark", google_benchmark}};
  std::vector<std::string> known;
  for (const auto& [name, writer] : writers) known.push_back(name);
  const auto writer = writers.find(format);
  require<InputError>(writer != writers.end(), "--for: {}", unknown_name("format", format, known));
  Export result = writer->second(input);
  require<InputError>(!result.files.empty(), "{}: no cell has a value that {} takes", input.source,
                      format);
  return result;
}

}  // namespace lavo
