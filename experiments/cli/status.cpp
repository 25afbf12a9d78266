// SPDX-License-Identifier: MIT
#include "experiments/harness/status.h"

#include "experiments/cli/command.h"

namespace lavo {

void add_status(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("status", "How far the sweeps in a directory have come");
  auto directory = std::make_shared<std::filesystem::path>();
  command->add_option("DIR", *directory, "Directory of a run")->required();
  command->callback([=, &exit_code] {
    fmt::print("{}", status_text(*directory));
    exit_code = kSuccess;
  });
}

}  // namespace lavo
