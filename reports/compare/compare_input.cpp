// SPDX-License-Identifier: MIT
#include "reports/compare/compare_input.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <set>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/cell_name.h"

namespace lavo::compare {
namespace {

constexpr std::string_view kBaseline = "baseline:";

/// A value inside the document, which knows where it stands.
struct Place {
  const json& value;
  std::string path;

  [[noreturn]] void wrong(const std::string& wanted) const {
    std::string got = value.dump(-1, ' ', false, json::error_handler_t::replace);
    if (got.size() > 40) got = got.substr(0, 37) + "...";
    fail<InputError>("{}: got {}, wanted {}", path, got, wanted);
  }
  Place at(const std::string& key) const {
    if (!value.is_object()) wrong("an object");
    require<InputError>(value.contains(key), "{}: '{}' is missing", path, key);
    return {value.at(key), path + "." + key};
  }
  std::string text() const {
    if (!value.is_string()) wrong("a text");
    return value.get<std::string>();
  }
  std::string one_of(const std::vector<std::string>& known, const char* noun) const {
    const std::string got = text();
    require<InputError>(std::ranges::find(known, got) != known.end(), "{}: {}", path,
                        unknown_name(noun, got, known));
    return got;
  }
  int64_t integer() const {
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() ||
                       value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()});
    if (!fits) wrong("an integer");
    return value.get<int64_t>();
  }
  double number() const {
    if (!value.is_number() || !std::isfinite(value.get<double>())) wrong("a finite number");
    return value.get<double>();
  }
  std::vector<Place> items() const {
    if (!value.is_array()) wrong("a list");
    std::vector<Place> result;
    for (size_t i = 0; i < value.size(); ++i)
      result.push_back({value[i], fmt::format("{}[{}]", path, i)});
    return result;
  }
};

Metric read_metric(const Place& from) {
  Metric metric{from.at("value").number(), from.at("unit").text(),
                from.at("better").one_of({"lower", "higher", "none"}, "direction"),
                from.at("kind").one_of({"timing", "exact", "bound", "seeded"}, "kind")};
  if (from.value.contains("ci95")) {
    const auto ends = from.at("ci95").items();
    if (ends.size() != 2) from.at("ci95").wrong("two numbers");
    metric.ci95 = {ends[0].number(), ends[1].number()};
  }
  if (from.value.contains("samples")) {
    for (const Place& sample : from.at("samples").items())
      metric.samples.push_back(sample.number());
  }
  if (from.value.contains("blocks")) {
    const Place blocks = from.at("blocks");
    for (const Place& length : blocks.items()) {
      if (length.integer() < 1) length.wrong("a length of 1 or more");
      metric.blocks.push_back(length.integer());
    }
    const double total = std::accumulate(metric.blocks.begin(), metric.blocks.end(), 0.0);
    require<InputError>(total == static_cast<double>(metric.samples.size()),
                        "{}: add up to {}, but there are {} samples", blocks.path, total,
                        metric.samples.size());
  }
  return metric;
}

Cell read_cell(const Place& from) {
  Cell cell;
  const std::string schema = from.at("schema").text();
  if (schema != "lavo.cell/1") from.at("schema").wrong("\"lavo.cell/1\"");
  cell.id = from.at("id").text();
  cell.experiment = from.at("experiment").text();
  cell.spec_version = from.at("spec_version").integer();
  cell.status = from.at("status").one_of(
      {"ok", "out_of_memory", "timeout", "not_finite", "wrong", "error", "crashed", "skipped"},
      "status");
  const auto optional_text = [&](const char* key) {
    return from.value.contains(key) && from.value.at(key).is_string()
               ? from.value.at(key).get<std::string>()
               : "";
  };
  cell.reason = optional_text("reason");
  cell.started = optional_text("started");
  cell.environment = from.at("environment").text();
  cell.axes = from.at("axes").value;
  if (!cell.axes.is_object()) from.at("axes").wrong("an object");
  for (const auto& [name, value] : cell.axes.items()) {
    if (value.is_structured()) from.at("axes").at(name).wrong("a text, a number, true or false");
  }
  const Place metrics = from.at("metrics");
  if (!metrics.value.is_object()) metrics.wrong("an object");
  for (const auto& [name, value] : metrics.value.items()) {
    const Place metric = metrics.at(name);
    if (cell.ok()) {
      cell.metrics[name] = read_metric(metric);
    } else if (!metric.at("value").value.is_null()) {
      metric.at("value").wrong("null, for the cell is not ok");
    }
  }
  cell.name = cell_name(cell.experiment, cell.axes);
  return cell;
}

}  // namespace

Input parse_results(const json& document, const std::string& source) {
  const Place top{document, source + ": $"};
  if (top.at("schema").text() != "lavo.results/1") top.at("schema").wrong("\"lavo.results/1\"");
  Input input{source, top.at("environments").value, {}};
  if (!input.environments.is_object()) top.at("environments").wrong("an object");
  for (const auto& [id, value] : input.environments.items()) {
    const Place machine = top.at("environments").at(id).at("machine");
    if (!machine.value.is_object()) machine.wrong("an object");
  }
  std::set<std::string> seen;
  for (const Place& each : top.at("cells").items()) {
    Cell cell = read_cell(each);
    require<InputError>(input.environments.contains(cell.environment),
                        "{}.environment: there is no environment '{}'", each.path,
                        cell.environment);
    require<InputError>(seen.insert(cell.id).second, "{}.id: '{}' is there twice", each.path,
                        cell.id);
    input.cells.push_back(std::move(cell));
  }
  require<InputError>(!input.cells.empty(), "{}: there are no cells", source);
  std::ranges::sort(input.cells, {}, [](const Cell& cell) { return std::tie(cell.name, cell.id); });
  return input;
}

std::filesystem::path baseline_path(const std::string& name) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  };
  require<InputError>(!name.empty() && name.front() != '.' && std::ranges::all_of(name, allowed),
                      "baseline name '{}': wanted letters, digits, '-', '_' and '.'", name);
  const char* folder = std::getenv("LAVO_BASELINES");
  const bool given = folder != nullptr && *folder != '\0';
  return std::filesystem::path(given ? folder : ".lavo/baselines") / (name + ".json");
}

Input read_results(const std::string& what) {
  std::filesystem::path path = what;
  if (what.starts_with(kBaseline)) {
    path = baseline_path(what.substr(kBaseline.size()));
    std::vector<std::string> known;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(path.parent_path(), none))
      known.push_back(entry.path().stem().string());
    std::ranges::sort(known);
    require<InputError>(std::filesystem::exists(path), "{}: {}", path.parent_path().string(),
                        unknown_name("baseline", path.stem().string(), known));
  }
  if (std::filesystem::is_directory(path)) {
    path /= "results.json";
    require<InputError>(std::filesystem::exists(path),
                        "{}: there is no results.json; `run` writes it when it ends, and `merge`",
                        what);
  }
  return parse_results(read_json(path), path.string());
}

}  // namespace lavo::compare
