// SPDX-License-Identifier: MIT
#include "reports/compare/compare_builds.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/compare/compare_input.h"
#include "reports/records/statistics.h"

namespace lavo::compare {
namespace {

/// The last line that says something.
std::string last_line(const std::filesystem::path& log) {
  std::string text = read_text(log);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

/// Runs the program to its end, its output into `log`. Returns its exit code, or 128 + signal.
int run_process(const std::vector<std::string>& command, const std::filesystem::path& log) {
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  require<InputError>(child >= 0, "{}: cannot be started", command.front());
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // no measurement goes on alone
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file >= 0) {
      ::dup2(file, STDOUT_FILENO);
      ::dup2(file, STDERR_FILENO);
    }
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

double run_round(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                 const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  std::vector<std::string> command = {program.string(), "run"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.insert(command.end(), {"--set", "limits.blocks=1", "-o", directory.string()});
  const auto log = directory / "log.txt";
  const auto start = std::chrono::steady_clock::now();
  const int code = run_process(command, log);
  require<InputError>(code == 0, "{} run: ended with {}: {} (all of it: {})", program.string(),
                      code, last_line(log), log.string());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool is_worse(const json& a, const json& b) {
  return a["better"] == "higher" ? a["value"] < b["value"] : a["value"] > b["value"];
}

void append_samples(json& metric, const json& more) {
  const json samples = more.value("samples", json{more["value"]});
  metric["samples"].insert(metric["samples"].end(), samples.begin(), samples.end());
  metric["blocks"].push_back(samples.size());
}

void merge_metrics(json& metrics, const json& more, bool first) {
  for (const auto& [name, from] : more.items()) {
    json& metric = metrics[name];
    if (metric.is_null()) metric = from;
    if (metric["kind"] == "timing") {
      if (first) metric["samples"] = metric["blocks"] = json::array();
      append_samples(metric, from);
    } else if (metric["kind"] != "seeded" && is_worse(from, metric)) {
      metric = from;
    }
  }
}

void set_summary(json& metric) {
  if (metric["kind"] != "timing") return;
  const auto samples = metric["samples"].get<std::vector<double>>();
  const auto interval = bootstrap_median(samples, metric["blocks"].get<std::vector<int64_t>>());
  metric["value"] = median(samples);
  metric["ci95"] = {interval.first, interval.second};
}

}  // namespace

json merge_rounds(const std::vector<json>& documents) {
  std::map<std::string, json> cells;
  json environments = json::object();
  for (const json& document : documents) {
    environments.update(document.at("environments"));
    for (const json& record : document.at("cells")) {
      const auto [found, first] = cells.emplace(record.at("id"), record);
      json& merged = found->second;
      if (record.at("status") != "ok" && merged.at("status") == "ok") merged = record;
      if (merged.at("status") == "ok") merge_metrics(merged["metrics"], record["metrics"], first);
    }
  }
  json merged = {{"schema", "lavo.results/1"},
                 {"environments", std::move(environments)},
                 {"cells", json::array()}};
  for (auto& [id, record] : cells) {
    if (record.at("status") == "ok") {
      for (auto& [name, metric] : record["metrics"].items()) set_summary(metric);
    }
    merged["cells"].push_back(std::move(record));
  }
  return merged;
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
                     merge_rounds(side.documents).dump(1) + "\n");
  }
}

}  // namespace lavo::compare
