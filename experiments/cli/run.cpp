// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>
#include <signal.h>

#include <algorithm>

#include "experiments/cli/command.h"
#include "experiments/cli/selectors.h"
#include "experiments/harness/run/runner.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/merge.h"
#include "reports/records/words.h"

namespace lavo {
namespace {

const std::vector<std::string>& kStatuses = WordsOf<Status>::words;
const std::vector<std::string> kRetries = {"failed", "crashed", "all"};

/// "24 cells: 20 ok, 3 skipped, 1 out_of_memory"
std::string counts(const RunSummary& summary) {
  std::vector<std::string> parts;
  int recorded = 0;
  for (const std::string& status : kStatuses) {
    const auto found = summary.statuses.find(status);
    if (found == summary.statuses.end()) continue;
    parts.push_back(fmt::format("{} {}", found->second, status));
    recorded += found->second;
  }
  if (recorded < summary.planned) {
    parts.push_back(fmt::format("{} left", summary.planned - recorded));
  }
  return fmt::format("{} cells{}{}", summary.planned, parts.empty() ? "" : ": ",
                     fmt::join(parts, ", "));
}

ExitCode exit_code_of(const RunSummary& summary, const std::vector<std::string>& fail_on) {
  if (summary.signal == SIGINT) return kInterrupted;
  if (summary.signal != 0) return kRequeue;
  const bool failed = std::ranges::any_of(
      fail_on, [&](const std::string& status) { return summary.statuses.contains(status); });
  return failed ? kFailure : kSuccess;
}

template <class Value>
Value require_known(const std::string& option, const Value& value,
                    const std::vector<std::string>& known) {
  require<InputError>(std::ranges::find(known, value) != known.end(), "--{}: {}", option,
                      unknown_name("value", value, known));
  return value;
}

struct RunArguments {
  std::shared_ptr<Selection> selection;
  RunOptions options;
  std::string isolate = "worker";
  std::vector<std::string> fail_on;
};

int run(RunArguments& given) {
  RunOptions& options = given.options;
  if (!options.retry.empty()) require_known("retry", options.retry, kRetries);
  for (const std::string& status : given.fail_on) require_known("fail-on", status, kStatuses);
  const auto isolation =
      std::ranges::find(kIsolations, require_known("isolate", given.isolate, kIsolations));
  options.isolation = static_cast<Isolation>(isolation - kIsolations.begin());
  options.shard = choose_shard(given.selection->shard);
  require<InputError>(!options.fresh || options.shard.count == 1,
                      "--fresh: shards share the directory, so none may set aside what others "
                      "write; remove it, or give another -o");
  require_utf8("--output", options.directory);
  for (const std::string& text : given.selection->devices) {
    const Device device = parse_device(text);  // cuda and cuda:0 are one
    if (std::ranges::find(options.devices, device) == options.devices.end()) {
      options.devices.push_back(device);
    }
  }
  const Plan plan = make_plan(*given.selection);
  for (const auto* notices : {&plan.notices, &plan.off_budget}) {
    for (const std::string& notice : *notices) fmt::print(stderr, "{}\n", notice);
  }
  const RunSummary summary = run_plan(plan, selectors_as_json(*given.selection), options);
  fmt::print("{}\n", counts(summary));
  return exit_code_of(summary, given.fail_on);
}

}  // namespace

void add_run(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("run", "Runs or resumes the cells of sweeps");
  auto given = std::make_shared<RunArguments>();
  given->selection = add_selectors(*command);
  command->add_option("-o,--output", given->options.directory, "Directory of records and results")
      ->required()
      ->check(not_empty());
  command->add_option("--retry", given->options.retry,
                      "Run again what ended badly: failed, crashed; or all");
  command->add_flag("--fresh", given->options.fresh,
                    "Set aside what the directory holds and begin anew");
  command
      ->add_option("--isolate", given->isolate,
                   "worker: a process for each device; cell: for each block; none")
      ->capture_default_str();
  command->add_flag_callback(
      "--no-prune", [given] { given->options.prune = false; },
      "Also try the longer lengths of a row that ran out of memory");
  command
      ->add_option("--fail-on", given->fail_on,
                   "STATUS,...: exit with 1 when a cell has one of these")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->footer(
      "Exits 0 when every cell has a record, whatever its status; 1 with --fail-on; 130 after "
      "Ctrl-C; 75 after SIGTERM or SIGUSR1.\n" +
      std::string(kMergingRule) +
      "\n"
      "Examples:\n"
      "  lavo-bench run experiments/sweeps/efficiency.toml -o out\n"
      "  lavo-bench run experiments/sweeps/*.toml -o out --profile smoke\n"
      "  lavo-bench run experiments/sweeps/efficiency.toml -o out --axis length=4096,8192 --retry "
      "failed");
  command->callback([=, &exit_code] { exit_code = run(*given); });
}

}  // namespace lavo
