// SPDX-License-Identifier: MIT
#include "experiments/harness/run/slurm.h"

#include "experiments/cli/command.h"
#include "experiments/cli/selectors.h"
#include "experiments/harness/sweep/plan.h"
#include "lavo/core/check.h"

namespace lavo {

void add_slurm(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("slurm", "Prints an sbatch script that runs sweeps");
  auto selection = add_selectors(*command);
  auto job = std::make_shared<SlurmJob>();
  command->add_option("-o,--output", job->directory, "Directory that all jobs share")
      ->required()
      ->check(not_empty());
  command->add_option("--shards", job->shards, "Jobs of the array")
      ->required()
      ->check(CLI::Range(1, 100000));
  command->add_option("--partition", job->partition, "Slurm's partition");
  command->add_option("--time", job->time,
                      "Slurm's time limit; by default twice the longest job's prediction");
  command->footer(
      "Each job runs its shard and asks to be requeued when its time runs out.\n"
      "Example:\n"
      "  lavo-bench slurm experiments/sweeps/efficiency.toml -o /shared/out --shards 8 | sbatch");
  command->callback([=, &exit_code] {
    require<InputError>(selection->shard.empty(), "slurm: --shard is each job's own; use --shards");
    fmt::print("{}", sbatch_script(make_plan(*selection), *selection, *job));
    exit_code = kSuccess;
  });
}

}  // namespace lavo
