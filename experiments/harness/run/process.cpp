// SPDX-License-Identifier: MIT
#include "experiments/harness/run/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "experiments/harness/machine/resources.h"
#include "lavo/core/check.h"

extern char** environ;

namespace lavo {
namespace {

struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    int ends[2];
    require<InputError>(::pipe2(ends, O_CLOEXEC) == 0, "no pipe to a worker: {}", strerror(errno));
    read = ends[0], write = ends[1];
  }
};

void close_once(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

/// Pointers to the texts, with the null that exec wants behind them.
std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

/// This process's environment; `variables` stand before it, and the first of a name counts.
std::vector<std::string> environment_with(const std::vector<std::string>& variables) {
  std::vector<std::string> all = variables;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('=') + 1);
    const auto same = [&](const std::string& other) { return other.starts_with(name); };
    if (std::none_of(variables.begin(), variables.end(), same)) all.push_back(text);
  }
  return all;
}

/// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(char** arguments, char** variables, int input, int output, int log,
                         pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it died before the line above
  ::sched_setaffinity(0, sizeof(cpu_set_t), &initial_cores());
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Out of the way of 0 ... 3 first: one of the four may be what dup2 is about to close.
  input = ::fcntl(input, F_DUPFD_CLOEXEC, 10);
  output = ::fcntl(output, F_DUPFD_CLOEXEC, 10);
  log = ::fcntl(log, F_DUPFD_CLOEXEC, 10);
  if (::dup2(input, 0) < 0 || ::dup2(log, 1) < 0 || ::dup2(log, 2) < 0 ||
      ::dup2(output, kReplies) < 0) {
    ::_exit(127);
  }
  ::execve("/proc/self/exe", arguments, variables);
  ::_exit(127);
}

}  // namespace

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

Process::Process(const std::vector<std::string>& command, const std::vector<std::string>& variables,
                 const std::filesystem::path& log)
    : log_(log) {
  const std::vector<std::string> all_variables = environment_with(variables);
  const std::vector<char*> argv = pointers(command), envp = pointers(all_variables);
  Pipe requests, replies;
  int log_file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const int reason = errno;
  const pid_t parent = ::getpid();
  if (log_file >= 0) child_ = ::fork();
  if (child_ == 0) {
    become(const_cast<char**>(argv.data()), const_cast<char**>(envp.data()), requests.read,
           replies.write, log_file, parent);
  }
  close_once(requests.read);
  close_once(replies.write);
  to_child_ = requests.write;
  from_child_ = replies.read;
  if (child_ < 0) {
    close_once(to_child_);
    close_once(from_child_);
    close_once(log_file);
    fail<InputError>("{}: a worker cannot be started: {}", log.string(), strerror(reason));
  }
  close_once(log_file);
  ::setpgid(child_, child_);  // by both, so that neither has to wait for the other
  mark_log();
}

Process::~Process() { end(); }

bool Process::write_line(const std::string& line) {
  const std::string text = line + "\n";
  for (size_t written = 0; written < text.size();) {
    const ssize_t count = ::write(to_child_, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    written += static_cast<size_t>(count);
  }
  return true;
}

std::vector<std::string> Process::read_lines(bool& ended) {
  std::vector<std::string> lines;
  ended = false;
  for (;;) {
    pollfd ready{from_child_, POLLIN, 0};
    if (::poll(&ready, 1, 0) <= 0) break;
    char piece[1 << 16];
    const ssize_t count = ::read(from_child_, piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      ended = true;
      break;
    }
    pending_.append(piece, static_cast<size_t>(count));
  }
  for (size_t end; (end = pending_.find('\n')) != std::string::npos;) {
    lines.push_back(pending_.substr(0, end));
    pending_.erase(0, end + 1);
  }
  return lines;
}

std::string Process::end() {
  if (child_ < 0) return ending_;
  // The child's own end is looked at before the kill, which is for what it may have left behind.
  int status = 0;
  const bool was_gone = ::waitpid(child_, &status, WNOHANG) == child_;
  ::kill(-child_, SIGKILL);
  while (!was_gone && ::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  close_once(to_child_);
  close_once(from_child_);
  ending_ = WIFSIGNALED(status) ? "killed by " + signal_name(WTERMSIG(status))
                                : fmt::format("exited with code {}", WEXITSTATUS(status));
  return ending_;
}

void Process::mark_log() {
  std::error_code error;
  const auto size = std::filesystem::file_size(log_, error);
  log_mark_ = error ? 0 : size;
}

std::string Process::last_log_line() const {
  std::ifstream file(log_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(log_mark_));
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace lavo
