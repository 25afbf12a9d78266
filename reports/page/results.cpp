// SPDX-License-Identifier: MIT
#include "reports/page/results.h"

#include <algorithm>
#include <tuple>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/check_results.h"

namespace lavo::report {
namespace {

Metric read_metric(const json& fields) {
  Metric metric{fields.at("value"), fields.at("unit"), fields.at("better"), fields.at("kind")};
  if (fields.contains("ci95")) metric.ci95 = fields.at("ci95").get<std::pair<double, double>>();
  metric.samples = fields.value("samples", std::vector<double>());
  metric.blocks = fields.value("blocks", std::vector<int64_t>());
  return metric;
}

Series read_series(const json& fields) {
  Series series{fields.at("x"), fields.value("unit", ""), {}};
  for (const json& point : fields.at("points")) {
    if (point[0].is_number() && point[1].is_number())
      series.points.emplace_back(point[0], point[1]);
  }
  return series;
}

Cell read_cell(const json& record) {
  Cell cell;
  cell.id = record.at("id");
  cell.experiment = record.at("experiment");
  cell.status = record.at("status");
  if (record.at("reason").is_string()) cell.reason = record.at("reason");
  cell.environment = record.at("environment");
  cell.axes = record.at("axes");
  for (const auto& [name, fields] : record.at("metrics").items()) {
    if (cell.ok() && fields.at("value").is_number()) cell.metrics[name] = read_metric(fields);
  }
  for (const auto& [name, fields] : record.at("series").items()) {
    if (cell.ok()) cell.series[name] = read_series(fields);
  }
  if (record.at("seed").is_number()) cell.seed = record.at("seed");
  cell.elapsed_s = record.at("elapsed_s");
  return cell;
}

/// A word as a shell reads it back.
std::string quoted(const std::string& word) {
  const bool plain = std::ranges::all_of(word, [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("_-./=,:+%@").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain && !word.empty()) return word;
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

/// The selectors of a plan as options again.
std::string options_of(const json& asked) {
  std::string options;
  for (const auto& [name, value] : asked.items()) {
    for (const json& each : value.is_array() ? value : json::array({value})) {
      options += fmt::format(" --{} {}", name, quoted(text_of(each)));
    }
  }
  return options.empty() ? "" : options.substr(1);
}

void read_plans(const std::filesystem::path& directory, std::vector<Sweep>& sweeps) {
  std::vector<std::filesystem::path> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  for (const auto& file : files) {
    try {
      const json plan = read_json(file);
      Sweep sweep{plan.at("name"),        quoted(plan.at("file")),      plan.at("experiment"),
                  plan.at("description"), options_of(plan.at("asked")), {}};
      for (const json& cell : plan.at("cells")) sweep.ids.insert(cell.at("id").get<std::string>());
      sweeps.push_back(std::move(sweep));
    } catch (const json::exception&) {
      continue;
    } catch (const Error&) {
      continue;
    }
  }
}

/// The order in which mechanisms are listed: LAVO among what it is read against, then the others.
size_t rank_of(const std::string& mechanism) {
  constexpr std::string_view kFirst[] = {"vanilla", "vanilla_math", "lavo", "local"};
  return static_cast<size_t>(std::ranges::find(kFirst, mechanism) - std::begin(kFirst));
}

}  // namespace

const Sweep* sweep_of(const Results& results, const Cells& cells) {
  const Sweep* best = nullptr;
  std::ptrdiff_t most = 0;
  for (const Sweep& sweep : results.sweeps) {
    const auto count = std::ranges::count_if(
        cells, [&](const Cell* cell) { return sweep.ids.contains(cell->id); });
    if (count > most || (count == most && best && sweep.ids.size() < best->ids.size())) {
      most = count;
      best = &sweep;
    }
  }
  return best;
}

const Metric* Cell::metric(const std::string& name) const {
  const auto found = metrics.find(name);
  return found == metrics.end() ? nullptr : &found->second;
}

const Series* Cell::curve(const std::string& name) const {
  const auto found = series.find(name);
  return found == series.end() ? nullptr : &found->second;
}

json Cell::axis(const std::string& name) const {
  const auto found = axes.find(name);
  return found == axes.end() ? json() : *found;
}

std::string Cell::mechanism() const {
  const json name = axis("mechanism");
  return name.is_string() ? name.get<std::string>() : "";
}

Results load_results(const std::vector<std::filesystem::path>& directories) {
  Results results;
  std::map<std::string, size_t> place;
  for (const auto& directory : directories) {
    const auto path = directory / "results.json";
    require<InputError>(std::filesystem::exists(path),
                        "{}: there is no results.json; `lavo-bench run SWEEP -o {}` writes one",
                        directory.string(), directory.string());
    const json document = read_json(path);
    check_results(document, path.string());
    read_plans(directory / "plans", results.sweeps);
    results.environments.update(document.at("environments"));
    for (const json& record : document.at("cells")) {
      Cell cell = read_cell(record);
      const auto [found, first] = place.emplace(cell.id, results.cells.size());
      if (first) {
        results.cells.push_back(std::move(cell));
      } else if (Cell& before = results.cells[found->second]; cell.ok() || !before.ok()) {
        before = std::move(cell);
      }
    }
  }
  std::ranges::stable_sort(results.cells, [](const Cell& a, const Cell& b) {
    const auto key = [](const Cell& cell) {
      return std::tuple(cell.experiment, rank_of(cell.mechanism()), cell.mechanism(), cell.axes);
    };
    return key(a) < key(b);
  });
  return results;
}

std::string text_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "unset";
  if (value.is_number_float()) return fmt::format("{:g}", value.get<double>());
  return value.dump();
}

std::map<std::vector<json>, Cells> split(const Cells& cells, const std::vector<std::string>& axes) {
  std::map<std::vector<json>, Cells> parts;
  for (const Cell* cell : cells) {
    std::vector<json> key;
    for (const std::string& axis : axes) key.push_back(cell->axis(axis));
    parts[key].push_back(cell);
  }
  return parts;
}

std::set<std::string> varying_axes(const Cells& cells) {
  std::map<std::string, std::set<json>> values;
  for (const Cell* cell : cells) {
    for (const auto& [name, value] : cell->axes.items()) values[name].insert(value);
  }
  std::set<std::string> varying;
  for (const auto& [name, seen] : values) {
    const auto has = [axis = name](const Cell* cell) { return cell->axes.contains(axis); };
    if (seen.size() > 1 || !std::ranges::all_of(cells, has)) varying.insert(name);
  }
  return varying;
}

}  // namespace lavo::report
