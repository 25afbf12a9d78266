// SPDX-License-Identifier: MIT
#include "reports/formats/export.h"

#include "experiments/cli/command.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"

namespace lavo {

void add_export(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("export", "Writes results in the formats of other tools");
  struct Arguments {
    std::string input, format;
    std::filesystem::path output;
  };
  auto given = std::make_shared<Arguments>();
  command->add_option("DIR", given->input, "Directory of a run, a results file, or baseline:NAME")
      ->required();
  command->add_option("--for", given->format, "google-benchmark, github-action, bencher or csv")
      ->required();
  command->add_option("-o,--output", given->output,
                      "Directory of the files; by default DIR/export");
  command->footer(
      "  lavo-bench export out --for google-benchmark && compare.py benchmarks "
      "old/google-benchmark.json out/export/google-benchmark.json\n"
      "  lavo-bench export out --for bencher -o . && bencher run --adapter json --file "
      "bencher.json");
  command->callback([given, &exit_code] {
    const compare::Input input = compare::read_results(given->input);
    const Export result = export_results(input, given->format);
    auto directory = given->output;
    if (directory.empty()) directory = std::filesystem::path(input.source).parent_path() / "export";
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    require<InputError>(!failed, "{}: cannot be created: {}", directory.string(), failed.message());
    for (const ExportedFile& file : result.files) {
      write_atomically(directory / file.name, file.content);
      fmt::print("{}\n", (directory / file.name).string());
    }
    for (const std::string& note : result.notes)
      fmt::print(stderr, "note: {}\n", on_one_line(note));
    exit_code = kSuccess;
  });
}

}  // namespace lavo
