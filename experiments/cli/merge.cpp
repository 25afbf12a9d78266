// SPDX-License-Identifier: MIT
#include "experiments/cli/command.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/run_directory.h"

namespace lavo {

void add_merge(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand(
      "merge", "Writes results.json of one directory, or of several into another");
  auto directories = std::make_shared<std::vector<std::filesystem::path>>();
  auto output = std::make_shared<std::filesystem::path>();
  command->add_option("DIR", *directories, "Directories of runs")->required();
  command->add_option("-o,--output", *output,
                      "Directory to merge into; needed when there are several");
  command->footer(std::string(kMergingRule) +
                  " A run can go on in the merged directory; trained "
                  "models are not copied.\n"
                  "Examples:\n"
                  "  lavo-bench merge /shared/out\n"
                  "  lavo-bench merge out-of-host1 out-of-host2 -o out && lavo-bench report out");
  command->callback([=, &exit_code] {
    if (output->empty()) {
      require<InputError>(directories->size() == 1, "merge: several directories need -o OUT");
      *output = directories->front();
    }
    std::vector<std::string> warnings;
    const json results = merge_directories(*directories, *output, warnings);
    for (const std::string& warning : warnings)
      fmt::print(stderr, "note: {}\n", on_one_line(warning));
    fmt::print("{}: {} cells\n", (*output / "results.json").string(), results["cells"].size());
    exit_code = kSuccess;
  });
}

}  // namespace lavo
