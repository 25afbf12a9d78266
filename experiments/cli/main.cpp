// SPDX-License-Identifier: MIT
#include <c10/util/Exception.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>
#include <system_error>

#include "baselines/modules.h"
#include "experiments/cli/command.h"
#include "experiments/harness/measure/memory.h"
#include "lavo/core/check.h"

namespace lavo {

void add_apply(CLI::App& program, int& exit_code);
void add_compare(CLI::App& program, int& exit_code);
void add_doctor(CLI::App& program, int& exit_code);
void add_evaluate(CLI::App& program, int& exit_code);
void add_export(CLI::App& program, int& exit_code);
void add_list(CLI::App& program, int& exit_code);
void add_merge(CLI::App& program, int& exit_code);
void add_noise(CLI::App& program, int& exit_code);
void add_plan(CLI::App& program, int& exit_code);
void add_report(CLI::App& program, int& exit_code);
void add_run(CLI::App& program, int& exit_code);
void add_slurm(CLI::App& program, int& exit_code);
void add_status(CLI::App& program, int& exit_code);
void add_targets(CLI::App& program, int& exit_code);
void add_validate(CLI::App& program, int& exit_code);
void add_worker(CLI::App& program, int& exit_code);

namespace {

/// The table of commands, in the order of `--help`.
constexpr AddCommand kCommands[] = {
    add_list,    add_plan,   add_run,      add_status, add_merge,    add_report,
    add_compare, add_export, add_evaluate, add_apply,  add_validate, add_slurm,
    add_targets, add_noise,  add_doctor,   add_worker,
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// A descriptor that the caller has closed would be given to the next file that is opened, and
/// what is printed would land in it.
void open_standard_descriptors() {
  for (int descriptor = 0; descriptor < 3; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) ::open("/dev/null", O_RDWR);
  }
}

int complain(const std::string& text, ExitCode code) {
  fmt::print(stderr, "lavo-bench: {}\n", on_one_line(text));
  return code;
}

/// The innermost subcommand that was reached: its options are the ones meant.
const CLI::App& innermost(const CLI::App& app) {
  const auto reached = app.get_subcommands();
  return reached.empty() ? app : innermost(*reached.front());
}

/// CLI11's message, with the nearest known name where an option or a command is unknown.
std::string explain(const CLI::App& program, const CLI::ParseError& error) {
  const CLI::App& app = innermost(program);
  const std::string owner = &app == &program ? "" : app.get_name() + ": ";
  if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::ExtrasError) &&
      error.get_exit_code() != static_cast<int>(CLI::ExitCodes::RequiredError)) {
    return owner + error.what();
  }
  for (const std::string& extra : app.remaining()) {
    std::vector<std::string> known;
    if (extra.starts_with("-")) {
      for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
      }
      return owner + unknown_name("option", extra.substr(0, extra.find('=')), known);
    }
    for (const CLI::App* command : app.get_subcommands(nullptr)) {
      if (!command->get_group().empty()) known.push_back(command->get_name());
    }
    if (!known.empty()) return owner + unknown_name("command", extra, known);
    return fmt::format("{}'{}' was not expected here", owner, extra);
  }
  return owner + error.what();
}

int run_command(int argc, char** argv) {
  CLI::App program{
      "Measures LAVO and other efficient attention mechanisms: quality, time, memory, numerics.",
      "lavo-bench"};
  program.require_subcommand(1);
  program.set_version_flag("--version", LAVO_VERSION);
  program
      .add_option_function<std::vector<std::string>>(
          "--module",
          [](const std::vector<std::string>& files) {
            for (const std::string& file : files) load_module(file);
          },
          "FILE.so before COMMAND: a library that adds mechanisms; may be repeated")
      ->allow_extra_args(false);
  program.footer("lavo-bench COMMAND --help explains a command, with examples.");
  int exit_code = kSuccess;
  for (const AddCommand add : kCommands) add(program, exit_code);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error);  // --help, --version
    return complain(explain(program, error), kBadInput);
  }
  return exit_code;
}

int run_or_complain(int argc, char** argv) {
  try {
    return run_command(argc, argv);
  } catch (const Error& error) {
    return complain(error.what(), kBadInput);
  } catch (const c10::OutOfMemoryError& error) {
    return complain(fmt::format("out of memory: {}", first_line(error.what_without_backtrace())),
                    kFailure);
  } catch (const c10::Error& error) {
    return complain(first_line(error.what_without_backtrace()), kFailure);
  } catch (const std::bad_alloc&) {
    return complain("out of memory", kFailure);
  } catch (const std::system_error& error) {  // a file, or standard output in fmt::print
    return complain(error.what(), kBadInput);
  } catch (const std::exception& error) {
    return complain(first_line(error.what()), kFailure);
  }
}

}  // namespace
}  // namespace lavo

int main(int argc, char** argv) {
  lavo::open_standard_descriptors();
  lavo::ask_for_huge_pages();
  lavo::count_cpu_memory();
  const int code = lavo::run_or_complain(argc, argv);
  // What was printed may lie in a buffer until here.
  std::cout.flush();
  const bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) || !std::cout;
  if (!lost || code == lavo::kBadInput) return code;
  return lavo::complain(fmt::format("standard output: cannot be written: {}", std::strerror(errno)),
                        lavo::kBadInput);
}
