// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "experiments/cli/command.h"
#include "experiments/registry.h"

namespace lavo {

void add_list(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("list", "What exists: mechanisms, experiments, data");
  command->callback([&exit_code] {
    for (const Entry& entry : mechanisms()) fmt::print("{}\n", entry.name);
    exit_code = kSuccess;
  });
}

}  // namespace lavo
