// SPDX-License-Identifier: MIT
#include "reports/page/python.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

extern char** environ;

namespace lavo::report {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// Interpreters of the environments that run_all.sh keeps, the newest first.
std::vector<fs::path> kept_interpreters() {
  std::string root = variable("LAVO_ENV_ROOT");
  if (root.empty() && !variable("XDG_CACHE_HOME").empty())
    root = variable("XDG_CACHE_HOME") + "/lavo";
  if (root.empty()) root = variable("HOME") + "/.cache/lavo";
  std::error_code ignored;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(root, ignored)) {
    const fs::path python = entry.path() / "bin/python";
    if (fs::exists(python, ignored)) found.push_back(python);
  }
  const auto made = [&](const fs::path& python) {
    return fs::last_write_time(python.parent_path(), ignored);
  };
  std::ranges::sort(found, std::greater{}, made);
  return found;
}

}  // namespace

std::optional<fs::path> find_python(const std::string& modules) {
  std::vector<fs::path> candidates = {variable("LAVO_PYTHON"), LAVO_PYTHON};
  const auto kept = kept_interpreters();
  candidates.insert(candidates.end(), kept.begin(), kept.end());
  candidates.push_back("python3");
  for (const fs::path& python : candidates) {
    if (python.empty()) continue;
    if (run_and_wait({python.string(), "-c", "import " + modules}).code == 0) return python;
  }
  return std::nullopt;
}

Ran run_and_wait(const std::vector<std::string>& command) {
  int ends[2];
  if (::pipe(ends) != 0) return {127, "no pipe"};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failed =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  Ran ran;
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; !failed && (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
    ran.output.append(buffer.data(), static_cast<size_t>(got));
  }
  ::close(ends[0]);
  if (failed) return {127, "cannot be started"};
  int status = 0;
  ::waitpid(child, &status, 0);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

}  // namespace lavo::report
