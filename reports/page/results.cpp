// SPDX-License-Identifier: MIT
#include "reports/page/results.h"

#include <algorithm>
#include <tuple>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/process.h"
#include "reports/page/roles.h"
#include "reports/records/check_results.h"
#include "reports/records/merge.h"

namespace lavo::report {
namespace {

/// The selectors of a plan as options again.
std::string options_of(const json& asked) {
  std::string options;
  for (const auto& [name, value] : asked.items()) {
    for (const json& each : value.is_array() ? value : json::array({value})) {
      options += fmt::format(" --{} {}", name, shell_quoted(axis_text(each)));
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
      Sweep sweep{plan.at("name"),        shell_quoted(plan.at("file")), plan.at("experiment"),
                  plan.at("description"), options_of(plan.at("asked")),  {}};
      for (const json& cell : plan.at("cells")) sweep.ids.insert(cell.at("id").get<std::string>());
      sweeps.push_back(std::move(sweep));
    } catch (const json::exception&) {
      continue;
    } catch (const Error&) {
      continue;
    }
  }
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

Results load_results(const std::vector<std::filesystem::path>& directories) {
  Results results;
  Merger merger;
  json merged = {{"schema", "lavo.results/1"}};
  json &environments = merged["environments"], &mechanisms = merged["mechanisms"];
  environments = mechanisms = json::object();
  for (const auto& directory : directories) {
    const json document = read_results_json(directory);
    check_results(document, (directory / "results.json").string());
    read_plans(directory / "plans", results.sweeps);
    environments.update(document.at("environments"));
    mechanisms.update(document.value("mechanisms", json::object()));
    for (const json& record : document.at("cells")) merger.add(record);
  }
  json& cells = merged["cells"] = json::array();
  for (const auto& [id, record] : merger.records()) {
    cells.push_back(record);
    const std::string environment = record.at("environment");
    results.environments[environment] = environments.at(environment);
  }
  results.dropped = merger.dropped();
  results.cells = results_from_json(merged, "").cells;
  std::ranges::stable_sort(results.cells, [](const Cell& a, const Cell& b) {
    const auto key = [](const Cell& cell) {
      return std::tuple(cell.experiment, rank_of(cell.mechanism()), cell.mechanism(), cell.axes);
    };
    return key(a) < key(b);
  });
  return results;
}

Results of_setup(const Results& results, const Setup& setup) {
  Results part;
  part.sweeps = results.sweeps;
  for (const auto& [id, environment] : results.environments.items()) {
    if (setup.environments.contains(id)) part.environments[id] = environment;
  }
  for (const Cell& cell : results.cells) {
    if (setup.environments.contains(cell.environment)) part.cells.push_back(cell);
  }
  return part;
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

std::set<std::string> option_names(const Cells& cells) {
  std::set<std::string> named, lacked;
  bool told = false;
  for (const Cell* cell : cells) {
    if (!cell->facts) continue;
    told = true;
    for (const auto& [option, value] : cell->facts->at("options").items()) named.insert(option);
  }
  if (told) return named;
  for (const Cell* cell : cells) {
    for (const auto& [axis, value] : cell->axes.items()) {
      const auto lacks = [name = axis](const Cell* other) { return !other->axes.contains(name); };
      if (std::ranges::any_of(cells, lacks)) lacked.insert(axis);
    }
  }
  return lacked;
}

std::set<std::string> length_again(const Cells& cells) {
  std::set<std::string> candidates, others;
  for (const Cell* cell : cells) {
    const json length = cell->axis("length");
    for (const auto& [axis, value] : cell->axes.items()) {
      (axis != "length" && length.is_number() && value == length ? candidates : others)
          .insert(axis);
    }
  }
  std::erase_if(candidates, [&](const std::string& axis) { return others.contains(axis); });
  return candidates;
}

}  // namespace lavo::report
