// SPDX-License-Identifier: MIT
#include "experiments/cli/command.h"
#include "experiments/harness/run/executor.h"

namespace lavo {

void add_worker(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("worker", "Runs cells for `run`, which starts it");
  command->group("");  // not in --help
  command->callback([&exit_code] { exit_code = worker_main(); });
}

}  // namespace lavo
