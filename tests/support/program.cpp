// SPDX-License-Identifier: MIT
#include "tests/support/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "lavo/core/files.h"

extern char** environ;

namespace lavo {
namespace {

std::filesystem::path make_directory() {
  std::string name = std::filesystem::temp_directory_path() / "lavo-test-XXXXXX";
  if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed");
  return name;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() : path(make_directory()) {}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

std::string source_file(const std::string& path) { return LAVO_SOURCE_DIR "/" + path; }

Finished run_program(const std::vector<std::string>& arguments) {
  const TemporaryDirectory directory;
  const std::string out = directory.file("out"), err = directory.file("err");
  std::vector<char*> argv = {const_cast<char*>(LAVO_BENCH)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT, 0600);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, LAVO_BENCH, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) throw std::runtime_error("cannot start " LAVO_BENCH);
  int status = 0;
  ::waitpid(child, &status, 0);
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = read_text(out),
          .err = read_text(err)};
}

bool is_one_line_refusal(const Finished& finished) {
  return finished.out.empty() && finished.err.starts_with("lavo-bench: ") &&
         finished.err.ends_with('\n') && std::ranges::count(finished.err, '\n') == 1;
}

}  // namespace lavo
