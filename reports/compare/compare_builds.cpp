// SPDX-License-Identifier: MIT
#include "reports/compare/compare_builds.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/process.h"
#include "reports/compare/compare_input.h"

namespace lavo::compare {
namespace {

/// The last line that says something.
std::string last_line(const std::filesystem::path& log) {
  std::string text = read_text(log);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

double run_round(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                 const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  // As a path: a bare name would be looked for in PATH.
  std::vector<std::string> command = {std::filesystem::absolute(program).string(), "run"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.insert(command.end(), {"--set", "limits.blocks=1", "-o", directory.string()});
  const auto log = directory / "log.txt";
  const auto start = std::chrono::steady_clock::now();
  const int code = run_and_wait(command, log).code;
  require<InputError>(code == 0, "{} run: ended with {}: {} (all of it: {})", program.string(),
                      code, last_line(log), log.string());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The metrics of a cell's records, one for each round.
json merged_metrics(const std::vector<json>& rounds) {
  std::map<std::string, std::vector<Metric>> parts;
  for (const json& record : rounds) {
    for (const auto& [name, metric] : record.at("metrics").items()) {
      parts[name].push_back(metric_from_json(metric));
    }
  }
  json metrics = json::object();
  for (const auto& [name, blocks] : parts) metrics[name] = to_json(merged(blocks));
  return metrics;
}

}  // namespace

json merge_rounds(const std::vector<json>& documents) {
  std::map<std::string, std::vector<json>> cells;
  json document = {{"schema", "lavo.results/1"}, {"environments", json::object()}};
  for (const json& round : documents) {
    document["environments"].update(round.at("environments"));
    for (const json& record : round.at("cells")) cells[record.at("id")].push_back(record);
  }
  json& list = document["cells"] = json::array();
  for (const auto& [id, rounds] : cells) {
    const auto failed = std::ranges::find_if(rounds, [](const json& record) {
      return record.at("status").get<Status>() != Status::kOk;
    });
    list.push_back(failed == rounds.end() ? rounds.front() : *failed);
    if (failed == rounds.end()) list.back()["metrics"] = merged_metrics(rounds);
  }
  return document;
}

void run_builds(const BuildsToRun& builds,
                const std::function<void(const std::string&)>& progress) {
  for (const auto& program : {builds.base, builds.next}) {
    require<InputError>(
        ::access(program.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(program),
        "--run: {} is not a program", program.string());
  }
  struct Side {
    const char* name;
    std::filesystem::path program;
    std::vector<json> documents;
  };
  Side sides[] = {{"base", builds.base, {}}, {"new", builds.next, {}}};
  for (int round = 0; round < builds.rounds; ++round) {
    for (int turn = 0; turn < 2; ++turn) {
      Side& side = sides[(round + turn) % 2];
      const auto directory =
          builds.directory / "rounds" / fmt::format("{:02}", round + 1) / side.name;
      const double seconds = run_round(side.program, builds.arguments, directory);
      require<InputError>(std::filesystem::exists(directory / "results.json"),
                          "{} wrote no results.json: is it a lavo-bench?", side.program.string());
      side.documents.push_back(read_json(directory / "results.json"));
      parse_results(side.documents.back(), (directory / "results.json").string());
      progress(
          fmt::format("round {}/{}, {}: {:.1f} s", round + 1, builds.rounds, side.name, seconds));
    }
  }
  for (const Side& side : sides) {
    std::filesystem::create_directories(builds.directory / side.name);
    write_atomically(builds.directory / side.name / "results.json",
                     json_text(merge_rounds(side.documents), 1));
  }
}

}  // namespace lavo::compare
