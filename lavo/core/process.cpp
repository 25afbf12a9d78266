// SPDX-License-Identifier: MIT
#include "lavo/core/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace lavo {
namespace {

constexpr int kNotStarted = 127;

/// In the child: only calls that are safe between fork and exec of a program with threads.
[[noreturn]] void become(char** arguments, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int input = ::open("/dev/null", O_RDONLY);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execvp(arguments[0], arguments);
  ::_exit(kNotStarted);
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
}

}  // namespace

Ran run_and_wait(const std::vector<std::string>& command, const std::filesystem::path& log) {
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  int pipe[2] = {-1, -1};
  if (log.empty()) {
    if (::pipe2(pipe, O_CLOEXEC) != 0) return {kNotStarted, "no pipe"};
  } else {
    pipe[1] = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (pipe[1] < 0) return {kNotStarted, "no log"};
  }
  const pid_t child = ::fork();
  if (child == 0) become(arguments.data(), pipe[1]);
  ::close(pipe[1]);
  Ran ran;
  if (pipe[0] >= 0) {
    if (child > 0) ran.output = read_all(pipe[0]);
    ::close(pipe[0]);
  }
  if (child < 0) return {kNotStarted, "cannot be started"};
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

std::string shell_quoted(const std::string& word) {
  const bool plain = !word.empty() && std::ranges::all_of(word, [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("_-./=,:+@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace lavo
