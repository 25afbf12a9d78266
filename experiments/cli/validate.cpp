// SPDX-License-Identifier: MIT
#include "reports/validate.h"

#include <fmt/format.h>

#include "experiments/cli/command.h"

namespace lavo {

void add_validate(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("validate", "Checks result and sweep files");
  auto files = std::make_shared<std::vector<std::string>>();
  command->add_option("FILE", *files, "results.json, cells.jsonl or a sweep file (.toml)")
      ->required();
  command->footer("example: lavo-bench validate out/results.json experiments/sweeps/*.toml");
  command->callback([files, &exit_code] {
    for (const std::string& file : *files) fmt::print("{}\n", validate_file(file));
    exit_code = kSuccess;
  });
}

}  // namespace lavo
