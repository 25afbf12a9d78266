// SPDX-License-Identifier: MIT
#include "experiments/harness/run/status.h"

#include "experiments/cli/command.h"

namespace lavo {

void add_status(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("status", "How far the sweeps in a directory have come");
  auto directory = std::make_shared<std::filesystem::path>();
  command->add_option("DIR", *directory, "Directory of a run")->required();
  command->footer(
      "For each sweep that was started there: cells with a record, by status, and the predicted "
      "time of the others.\nThen a line for every cell that failed. Reads only, so it may be asked "
      "while shards run.\n"
      "Examples:\n"
      "  lavo-bench status out\n"
      "  watch lavo-bench status /shared/out");
  command->callback([=, &exit_code] {
    fmt::print("{}", status_text(*directory));
    exit_code = kSuccess;
  });
}

}  // namespace lavo
