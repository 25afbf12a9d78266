// SPDX-License-Identifier: MIT
#include "tests/support/program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "lavo/core/files.h"

extern char** environ;

namespace lavo {

RunningProgram::RunningProgram(const std::string& program,
                               const std::vector<std::string>& arguments) {
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string out = directory_.file("out"), err = directory_.file("err");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT, 0600);
  const int failed =
      ::posix_spawn(&child_, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) throw std::runtime_error("cannot start " + program);
}

RunningProgram::~RunningProgram() {
  if (child_ < 0) return;
  signal(SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

void RunningProgram::signal(int number) const { ::kill(child_, number); }

std::string RunningProgram::output_so_far() const { return read_text(directory_.file("out")); }

Finished RunningProgram::wait() {
  int status = 0;
  ::waitpid(child_, &status, 0);
  child_ = -1;
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = read_text(directory_.file("out")),
          .err = read_text(directory_.file("err"))};
}

Finished run_program(const std::vector<std::string>& arguments) {
  return RunningProgram(LAVO_BENCH, arguments).wait();
}

Finished run_google_benchmark(const std::vector<std::string>& arguments) {
  return RunningProgram(LAVO_GBENCH, arguments).wait();
}

std::string faulty_program() { return LAVO_BENCH_FAULTY; }

std::string extra_module() { return LAVO_EXTRA_MODULE; }

Finished run_faulty(const std::vector<std::string>& arguments) {
  return RunningProgram(faulty_program(), arguments).wait();
}

std::string source_file(const std::string& path) { return LAVO_SOURCE_DIR "/" + path; }

bool is_one_line_refusal(const Finished& finished) {
  return finished.out.empty() && finished.err.starts_with("lavo-bench: ") &&
         finished.err.ends_with('\n') && std::ranges::count(finished.err, '\n') == 1;
}

}  // namespace lavo
