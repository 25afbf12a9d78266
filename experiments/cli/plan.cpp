// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/plan.h"

#include "experiments/cli/command.h"
#include "experiments/cli/selectors.h"
#include "experiments/harness/run/progress.h"
#include "experiments/harness/store.h"
#include "reports/records/run_directory.h"

namespace lavo {
namespace {

void print_plan(const std::vector<Cell>& cells, const Records& records) {
  const std::vector<std::string> names = varying_axes(cells);
  double seconds = 0, seconds_left = 0;
  int done = 0, to_skip = 0;
  fmt::print("{:16}  {:13}  {:>9}  {:>10}  cell\n", "id", "status", "time [s]", "memory [MiB]");
  for (const Cell& cell : cells) {
    const auto found = records.by_id.find(cell.id);
    const bool skip = !cell.reason_to_skip().empty();
    const std::string status = found != records.by_id.end() ? found->second.value("status", "-")
                               : skip                       ? "to skip"
                                                            : "-";
    done += found != records.by_id.end();
    to_skip += found == records.by_id.end() && skip;
    seconds += cell.predicted_seconds();
    if (found == records.by_id.end()) seconds_left += cell.predicted_seconds();
    fmt::print("{:16}  {:13}  {:9.3g}  {:10.4g}  {} {}\n", cell.id, status, cell.prediction.seconds,
               cell.prediction.memory_bytes / (1 << 20), cell.experiment->name(),
               describe_axes(cell.axes, names));
  }
  fmt::print("{} cells, predicted {:.0f} s; {} done, {} to skip, {} left, predicted {:.0f} s\n",
             cells.size(), seconds, done, to_skip,
             cells.size() - static_cast<size_t>(done + to_skip), seconds_left);
}

}  // namespace

void add_plan(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand(
      "plan", "The cells of sweeps, what they are predicted to cost, and what is done");
  auto selection = add_selectors(*command);
  auto directory = std::make_shared<std::filesystem::path>();
  command->add_option("-o,--output", *directory, "Directory of a run, to show what it has already");
  command->footer(
      "Runs nothing. `to skip`: refused by the mechanism, or one call is predicted to take "
      "too long.\n"
      "Examples:\n"
      "  lavo-bench plan experiments/sweeps/efficiency.toml --profile paper\n"
      "  lavo-bench plan experiments/sweeps/*.toml -o out\n"
      "  lavo-bench plan experiments/sweeps/efficiency.toml --axis length=4096,8192 --shard 1/4");
  command->callback([=, &exit_code] {
    const Shard shard = choose_shard(selection->shard);
    const Plan plan = make_plan(*selection);
    const Records records = directory->empty() || !std::filesystem::exists(*directory)
                                ? Records{}
                                : read_records(*directory);
    print_plan(shard_of(plan.cells, shard), records);
    for (const std::string& text : plan.off_budget) fmt::print("{}\n", text);
    exit_code = kSuccess;
  });
}

}  // namespace lavo
