// SPDX-License-Identifier: MIT
#include "reports/records/validate.h"

#include <fmt/format.h>

#include "experiments/cli/command.h"
#include "experiments/harness/sweep/plan.h"

namespace lavo {
namespace {

/// Every profile is planned, so that a mistake shows whichever one will be run.
std::string validate_sweep(const std::filesystem::path& path) {
  std::string cells;
  Plan plan;
  for (const std::string& profile : kProfiles) {
    Selection selection;
    selection.sweeps = {path};
    selection.profile = profile;
    plan = make_plan(selection);
    cells += fmt::format("{}{} {}", cells.empty() ? "" : ", ", profile, plan.cells.size());
  }
  return fmt::format("{}: valid, sweep '{}' of {}, cells: {}", path.string(),
                     plan.sweeps.front().name, plan.sweeps.front().experiment, cells);
}

std::string validate_file(const std::filesystem::path& path) {
  return path.extension() == ".toml" ? validate_sweep(path) : validate_records(path);
}

}  // namespace

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
