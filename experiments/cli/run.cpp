// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>

#include "experiments/cli/command.h"
#include "experiments/cli/selectors.h"
#include "experiments/harness/runner.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

/// "24 cells: 20 ok, 3 skipped, 1 out_of_memory"
std::string counts(const RunSummary& summary) {
  std::vector<std::string> parts;
  int recorded = 0;
  for (const auto& [status, count] : summary.statuses) {
    parts.push_back(fmt::format("{} {}", count, status));
    recorded += count;
  }
  if (recorded < summary.planned)
    parts.push_back(fmt::format("{} left", summary.planned - recorded));
  return fmt::format("{} cells: {}", summary.planned, fmt::join(parts, ", "));
}

}  // namespace

void add_run(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("run", "Runs or resumes the cells of sweeps");
  auto selection = add_selectors(*command);
  auto options = std::make_shared<RunOptions>();
  command->add_option("-o,--output", options->directory, "Directory of records and results")
      ->required();
  command->add_option("--retry", options->retry, "Run again what ended as: failed, crashed, all")
      ->check(CLI::IsMember({"failed", "crashed", "all"}));
  command->add_flag("!--no-prune", options->prune,
                    "Try longer lengths of a row that ran out of memory as well");
  command->callback([=, &exit_code] {
    options->shard = choose_shard(selection->shard);
    const Plan plan = make_plan(*selection);
    const RunSummary summary = run_plan(plan, selectors_as_json(*selection), *options);
    fmt::print("{}\n", counts(summary));
    exit_code = kSuccess;
  });
}

}  // namespace lavo
