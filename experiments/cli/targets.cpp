// SPDX-License-Identifier: MIT
#include "reports/targets/targets.h"

#include <signal.h>

#include "experiments/cli/command.h"
#include "experiments/harness/run/runner.h"
#include "lavo/core/files.h"

namespace lavo {
namespace {

struct TargetArguments {
  std::vector<std::filesystem::path> directories;
  bool run = false;
  std::string json_file;
};

/// What the harness took beside its blocks, s for each cell that was run; nothing unless all were.
std::optional<Estimate> overhead(const RunSummary& summary) {
  if (summary.recorded == 0 || summary.recorded < summary.planned) return std::nullopt;
  const auto skipped = summary.statuses.find("skipped");
  const int run = summary.recorded - (skipped == summary.statuses.end() ? 0 : skipped->second);
  if (run == 0) return std::nullopt;
  return Estimate{.value = (summary.elapsed_s - summary.in_blocks_s) / run, .count = run};
}

/// By the first of the runs that measured it: both cells of a quotient are of one run.
report::Judgement judge_by_first(const report::Target& target,
                                 const std::vector<report::Results>& runs) {
  report::Judgement first = report::judge(target, runs.front());
  for (size_t i = 1; i < runs.size() && !first.ratio; ++i) {
    if (report::Judgement other = report::judge(target, runs[i]); other.ratio) return other;
  }
  return first;
}

int judge_targets(const TargetArguments& given) {
  RunSummary summary;
  if (given.run) {
    Selection selection;
    selection.sweeps = {LAVO_TARGETS};
    RunOptions options;
    options.directory = given.directories.front();
    summary = run_plan(make_plan(selection), json::object(), options);
    if (summary.signal != 0) return summary.signal == SIGINT ? kInterrupted : kRequeue;
  }
  std::vector<report::Results> runs;
  json environments = json::object();
  for (const auto& directory : given.directories) {
    runs.push_back(report::load_results({directory}));
    environments.update(runs.back().environments);
  }
  std::vector<report::Judgement> judgements;
  for (const report::Target& target : report::cpu_targets()) {
    judgements.push_back(judge_by_first(target, runs));
  }
  const auto own_time = overhead(summary);
  judgements.push_back(
      own_time ? report::judge(report::overhead_target(), *own_time)
               : report::Judgement{.target = report::overhead_target(),
                                   .reason = "only --run into an empty directory can tell"});
  fmt::print("{}{}", report::describe(environments), report::as_table(judgements));
  if (!given.json_file.empty()) {
    write_atomically(given.json_file, json_text(report::as_json(judgements, environments), 1));
  }
  return kSuccess;
}

}  // namespace

void add_targets(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand(
      "targets", "Which performance targets of the CPU are reached on this machine");
  auto given = std::make_shared<TargetArguments>();
  command->add_option("DIR", given->directories, "Directories of runs")->required();
  command->add_flag(
      "--run", given->run,
      "First measure into (the first) DIR what it lacks, about 10 minutes on 2 cores");
  command->add_option("--json", given->json_file, "Writes every row as JSON");
  command->footer(
      "Exits 0 whatever the verdicts: a missed target is a finding. A row \"within noise\" has "
      "its limit inside its interval.\n"
      "  lavo-bench targets --run out/targets --json targets.json\n"
      "  lavo-bench targets out/targets out/peers     # with what experiments/peers measured");
  command->callback([given, &exit_code] { exit_code = judge_targets(*given); });
}

}  // namespace lavo
