// SPDX-License-Identifier: MIT
#include "reports/page/report.h"

#include <fmt/format.h>

#include "experiments/cli/command.h"
#include "reports/records/merge.h"

namespace lavo {

void add_report(CLI::App& program, int& exit_code) {
  struct Given {
    std::vector<std::string> directories;
    std::string out;
    bool tables_only = false;
  };
  auto* command =
      program.add_subcommand("report", "A page with tables and charts of what a run measured");
  auto given = std::make_shared<Given>();
  command->add_option("DIR", given->directories, "of a run; several are shown together")
      ->required();
  command->add_option("-o,--output", given->out,
                      "directory for the page and its pictures [DIR/report]");
  command->add_flag("--tables-only", given->tables_only, "no charts in the page, no PNG and SVG");
  command->footer(std::string(kMergingRule) +
                  " Numbers of different machines or builds are shown, and not compared.\n"
                  "example: lavo-bench report out -o out/report");
  command->callback([given, &exit_code] {
    const std::filesystem::path out =
        given->out.empty() ? std::filesystem::path(given->directories.front()) / "report"
                           : std::filesystem::path(given->out);
    const report::ReportResult result = report::write_report(
        {given->directories.begin(), given->directories.end()}, out, !given->tables_only);
    if (!result.without_pictures.empty()) {
      fmt::print(stderr, "lavo-bench: tables only, no pictures: {}\n", result.without_pictures);
    }
    fmt::print("{}: {} figures\n", result.page.string(), result.figures);
    exit_code = kSuccess;
  });
}

}  // namespace lavo
