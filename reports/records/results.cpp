// SPDX-License-Identifier: MIT
#include "reports/records/results.h"

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/cell_name.h"

namespace lavo {
namespace {

Record read_record(const json& from) {
  Record record{.id = from.at("id"),
                .experiment = from.at("experiment"),
                .reason = from.at("reason").is_string() ? from.at("reason") : json(""),
                .environment = from.at("environment"),
                .started = from.at("started"),
                .name = cell_name(from.at("experiment"), from.at("axes")),
                .spec_version = from.at("spec_version"),
                .status = from.at("status").get<Status>(),
                .axes = from.at("axes"),
                .elapsed_s = from.at("elapsed_s")};
  if (from.at("seed").is_number()) record.seed = from.at("seed");
  const json notes = from.value("notes", json::object());
  for (const json& state : notes.value("matched_state", json::array())) {
    record.matched_state.push_back(state);
  }
  if (!record.ok()) return record;
  for (const auto& [name, metric] : from.at("metrics").items()) {
    record.metrics[name] = metric_from_json(metric);
  }
  for (const auto& [name, series] : from.at("series").items()) {
    record.series[name] = series_from_json(series);
  }
  return record;
}

}  // namespace

const Metric* Record::metric(const std::string& wanted) const {
  const auto found = metrics.find(wanted);
  return found == metrics.end() ? nullptr : &found->second;
}

const Series* Record::curve(const std::string& wanted) const {
  const auto found = series.find(wanted);
  return found == series.end() ? nullptr : &found->second;
}

json Record::axis(const std::string& wanted) const {
  const auto found = axes.find(wanted);
  return found == axes.end() ? json() : *found;
}

std::string Record::mechanism() const {
  const json value = axis("mechanism");
  return value.is_string() ? value.get<std::string>() : "";
}

ResultsFile results_from_json(const json& document, const std::string& source) {
  ResultsFile results{source, document.at("environments"), {}};
  std::map<std::string, std::shared_ptr<const json>> facts;
  const json mechanisms = document.value("mechanisms", json::object());
  for (const auto& [name, about] : mechanisms.items()) {
    facts[name] = std::make_shared<const json>(about);
  }
  for (const json& from : document.at("cells")) {
    Record record = read_record(from);
    if (const auto found = facts.find(record.mechanism()); found != facts.end()) {
      record.facts = found->second;
    }
    results.cells.push_back(std::move(record));
  }
  return results;
}

json read_results_json(std::filesystem::path path) {
  if (std::filesystem::is_directory(path)) path /= "results.json";
  const std::string directory = path.has_parent_path() ? path.parent_path().string() : ".";
  require<InputError>(
      path.filename() != "results.json" || std::filesystem::exists(path),
      "{}: there is no results.json; `lavo-bench run SWEEP -o {}` writes one, and `merge`",
      directory, directory);
  return read_json(path);
}

}  // namespace lavo
