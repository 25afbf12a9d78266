// SPDX-License-Identifier: MIT
#include "reports/compare/compare.h"

#include <unistd.h>

#include <cstdlib>

#include "experiments/cli/command.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/temporary_directory.h"
#include "reports/compare/compare_builds.h"
#include "reports/compare/compare_formats.h"
#include "reports/compare/compare_noise.h"

namespace lavo {
namespace {

struct CompareArguments {
  std::vector<std::string> inputs;
  std::string policy, markdown, json_file, junit, save_baseline, calibrate, output;
  std::vector<std::string> fail_on;
  bool strict = false, allow_different_env = false, side_by_side = false, all = false;
  std::vector<std::string> programs, sweeps, selectors;
  int rounds = 6;
};

void save_baseline(const std::string& name, const std::string& source) {
  const auto path = compare::baseline_path(name);
  std::error_code failed;
  std::filesystem::create_directories(path.parent_path(), failed);
  require<InputError>(!failed, "{}: cannot be created: {}", path.parent_path().string(),
                      failed.message());
  write_atomically(path, read_text(source));
  fmt::print("saved as baseline:{} ({})\n", name, path.string());
}

compare::Options read_compare_options(const CompareArguments& given) {
  compare::Options options{.allow_different_machine = given.allow_different_env,
                           .side_by_side = given.side_by_side || !given.programs.empty()};
  if (!given.policy.empty()) options.policy = compare::read_policy(given.policy);
  options.policy.strict |= given.strict;
  if (!given.fail_on.empty()) {
    options.policy.fail_on.clear();
    for (const std::string& word : given.fail_on) {
      if (word != "none")
        options.policy.fail_on.insert(compare::parse_verdict(word, "compare: --fail-on"));
    }
  }
  return options;
}

/// The two inputs; the builds are run first where --run asks for it.
std::pair<compare::Input, compare::Input> read_inputs(const CompareArguments& given,
                                                      const std::filesystem::path& rounds) {
  if (given.programs.empty())
    return {compare::read_results(given.inputs.at(0)), compare::read_results(given.inputs.at(1))};
  std::vector<std::string> arguments = given.sweeps;
  arguments.insert(arguments.end(), given.selectors.begin(), given.selectors.end());
  compare::run_builds({given.programs.at(0), given.programs.at(1), arguments, given.rounds, rounds},
                      [](const std::string& line) { fmt::print(stderr, "{}\n", line); });
  return {compare::read_results((rounds / "base").string()),
          compare::read_results((rounds / "new").string())};
}

int run_compare(const CompareArguments& given) {
  const bool runs = !given.programs.empty();
  // Refuses what is no name before anything is measured.
  if (!given.save_baseline.empty()) compare::baseline_path(given.save_baseline);
  if (given.inputs.size() == 1 && !given.save_baseline.empty() && !runs) {
    save_baseline(given.save_baseline, compare::read_results(given.inputs.front()).source);
    return kSuccess;
  }
  require<InputError>(given.inputs.size() == (runs ? 0 : 2), "compare: got {} files, wanted {}",
                      given.inputs.size(),
                      runs ? "none beside --run" : "BASE and NEW, or --run BIN_A BIN_B");
  require<InputError>(
      runs || (given.sweeps.empty() && given.selectors.empty() && given.output.empty()),
      "compare: --sweep, -o and run's selectors go with --run");
  require<InputError>(!runs || !given.sweeps.empty(), "compare: --run needs --sweep SWEEP");
  const compare::Options options = read_compare_options(given);
  std::optional<TemporaryDirectory> temporary;
  if (runs && given.output.empty()) temporary.emplace();
  const std::filesystem::path rounds =
      temporary ? temporary->path : std::filesystem::path(given.output);
  const auto [base, next] = read_inputs(given, rounds);
  const compare::Comparison comparison = compare::compare(base, next, options);
  if (!given.calibrate.empty()) {
    compare::Policy before;
    if (std::filesystem::exists(given.calibrate)) before = compare::read_policy(given.calibrate);
    write_atomically(given.calibrate, compare::noise_policy(comparison, before));
  }
  if (!given.markdown.empty()) write_atomically(given.markdown, compare::as_markdown(comparison));
  if (!given.json_file.empty())
    write_atomically(given.json_file, json_text(compare::as_json(comparison), 1));
  if (!given.junit.empty()) write_atomically(given.junit, compare::as_junit(comparison));
  const bool colour = ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  fmt::print("{}", compare::as_table(comparison, given.all, colour));
  if (!given.calibrate.empty()) {
    fmt::print("noise floor written to {}\n", given.calibrate);
    return kSuccess;
  }
  const int code = compare::exit_code(comparison);
  if (!given.save_baseline.empty()) {
    if (code == kSuccess) {
      save_baseline(given.save_baseline, next.source);
    } else {
      fmt::print("not saved as baseline:{}, for it does not pass\n", given.save_baseline);
    }
  }
  return code;
}

}  // namespace

void add_compare(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand(
      "compare", "Verdicts on NEW against BASE: what got slower, larger, worse, or broke");
  auto given = std::make_shared<CompareArguments>();
  command->add_option("BASE_NEW", given->inputs,
                      "BASE and NEW: results files, directories of runs, or baseline:NAME");
  command->add_option("--policy", given->policy, "gate.toml: margins, floors, what fails");
  command->add_option("--md", given->markdown, "Writes Markdown for a pull request");
  command->add_option("--json", given->json_file, "Writes every row as JSON");
  command->add_option("--junit", given->junit, "Writes JUnit XML");
  command->add_flag("--all", given->all, "Lists rows that are the same as well");
  command->add_flag("--strict", given->strict, "Exit code 3 where a row is inconclusive");
  command->add_flag("--allow-different-env", given->allow_different_env,
                    "Compares cells of different machines all the same");
  command
      ->add_option("--fail-on", given->fail_on,
                   "Verdicts that make the exit code 1; by default slower,worse,broke; or none")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_flag("--side-by-side", given->side_by_side,
                    "Block i of BASE and of NEW were measured one right after the other");
  command->add_option("--save-baseline", given->save_baseline,
                      "Keeps NEW as baseline:NAME in .lavo/baselines (or $LAVO_BASELINES), if it "
                      "passes");
  command
      ->add_option("--run", given->programs,
                   "BIN_A BIN_B: measures two builds side by side, and compares")
      ->expected(2);
  command->add_option("--rounds", given->rounds, "Processes of each build with --run")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--sweep", given->sweeps, "With --run: a sweep file; may be repeated")
      ->allow_extra_args(false);
  command->add_option("-o,--output", given->output,
                      "With --run: keeps the rounds here, and resumes");
  for (const char* selector : {"--profile", "--axis", "--set", "--threads", "--device"}) {
    command
        ->add_option_function<std::vector<std::string>>(
            selector,
            [given, selector](const std::vector<std::string>& values) {
              for (const std::string& value : values) {
                given->selectors.emplace_back(selector);
                given->selectors.push_back(value);
              }
            },
            "With --run: as in run")
        ->allow_extra_args(false);
  }
  command->add_option(
      "--calibrate", given->calibrate,
      "Learns the noise floor from a build against itself into FILE, which a policy "
      "can include; run again, it keeps the larger");
  command->footer(
      "Exit codes: 0 pass, 1 a row fails, 2 bad input, 3 inconclusive with --strict, 4 other "
      "machines, or metrics in other units.\n\n"
      "  lavo-bench compare base/ new/ --policy gate.toml --md comment.md\n"
      "  lavo-bench compare baseline:main out/ --fail-on worse,broke\n"
      "  lavo-bench compare --run old/lavo-bench new/lavo-bench --sweep "
      "experiments/sweeps/efficiency.toml --rounds 6\n"
      "  lavo-bench compare --run lavo-bench lavo-bench --sweep ... --calibrate noise.toml");
  command->callback([given, &exit_code] { exit_code = run_compare(*given); });
}

}  // namespace lavo
