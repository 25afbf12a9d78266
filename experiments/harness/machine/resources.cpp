// SPDX-License-Identifier: MIT
#include "experiments/harness/machine/resources.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace lavo {
namespace {

namespace fs = std::filesystem;

cpu_set_t started_with;

/// Before the constructors of shared libraries, OpenMP's among them; and so before a sanitizer is
/// ready to look at it.
__attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"))) void
note_cores(int, char**, char**) {
  ::syscall(SYS_sched_getaffinity, 0, sizeof started_with, &started_with);
}
__attribute__((section(".preinit_array"), used)) void (*const at_start)(int, char**,
                                                                        char**) = note_cores;

/// The number behind `key` in a file of lines "key 12" or "key: 12 kB".
std::optional<double> field(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key) || line.size() == key.size()) continue;
    const char next = line[key.size()];
    if (next != ' ' && next != ':' && next != '\t') continue;
    const size_t digit = line.find_first_of("0123456789", key.size());
    if (digit == std::string::npos) continue;
    return std::stod(line.substr(digit)) * (line.ends_with("kB") ? 1024 : 1);
  }
  return {};
}

/// The number that a file begins with; nothing for "max".
std::optional<double> number(const fs::path& file) {
  double value = 0;
  if (std::ifstream(file) >> value) return value;
  return {};
}

/// Control groups of a controller from this process's own up to the root, as directories. In a
/// container the path that /proc names may not be there: the root is what is left then.
std::vector<fs::path> groups(const SystemFiles& files, const std::string& controller,
                             bool unified) {
  std::ifstream in(files.proc / "self/cgroup");
  std::vector<fs::path> found;
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool matches =
        unified ? names == ",," : names.find("," + controller + ",") != std::string::npos;
    if (!matches) continue;
    const fs::path root = unified ? files.cgroup : files.cgroup / controller;
    for (fs::path group = fs::path(line.substr(second + 1)).relative_path();;
         group = group.parent_path()) {
      if (fs::is_directory(root / group)) found.push_back(root / group);
      if (group.empty()) break;
    }
  }
  return found;
}

constexpr double kNone = std::numeric_limits<double>::infinity();

/// The least of a quantity over all memory groups of both versions.
double least_over_groups(const SystemFiles& files,
                         const std::function<double(double limit, const fs::path&, bool)>& of) {
  double least = kNone;
  for (const bool unified : {true, false}) {
    for (const fs::path& group : groups(files, "memory", unified)) {
      const auto limit = number(group / (unified ? "memory.max" : "memory.limit_in_bytes"));
      if (limit) least = std::min(least, of(*limit, group, unified));
    }
  }
  return least;
}

}  // namespace

double available_memory(const SystemFiles& files) {
  const double in_groups =
      least_over_groups(files, [](double limit, const fs::path& group, bool unified) {
        const auto used = number(group / (unified ? "memory.current" : "memory.usage_in_bytes"));
        const auto cache =
            field(group / "memory.stat", unified ? "inactive_file" : "total_inactive_file");
        return std::max(0.0, limit - used.value_or(0) + cache.value_or(0));
      });
  return std::min(in_groups, field(files.proc / "meminfo", "MemAvailable").value_or(kNone));
}

double total_memory(const SystemFiles& files) {
  const double in_groups =
      least_over_groups(files, [](double limit, const fs::path&, bool) { return limit; });
  return std::min(in_groups, field(files.proc / "meminfo", "MemTotal").value_or(kNone));
}

std::optional<double> cpu_quota(const SystemFiles& files) {
  double least = kNone;
  for (const fs::path& group : groups(files, "cpu", /*unified=*/true)) {
    double quota = 0, period = 0;
    if (std::ifstream(group / "cpu.max") >> quota >> period)
      least = std::min(least, quota / period);
  }
  for (const fs::path& group : groups(files, "cpu", /*unified=*/false)) {
    const auto quota = number(group / "cpu.cfs_quota_us");
    const auto period = number(group / "cpu.cfs_period_us");
    if (quota && period && *quota > 0) least = std::min(least, *quota / *period);
  }
  return least < kNone ? std::optional(least) : std::nullopt;
}

int64_t out_of_memory_kills(const SystemFiles& files) {
  return static_cast<int64_t>(field(files.proc / "vmstat", "oom_kill").value_or(0));
}

double data_segment(const SystemFiles& files) {
  return field(files.proc / "self/status", "VmData").value_or(0);
}

const cpu_set_t& initial_cores() { return started_with; }

int64_t usable_cores() {
  const int cores = CPU_COUNT(&started_with);
  return cores > 0 ? cores : ::sysconf(_SC_NPROCESSORS_ONLN);  // more than the set has room for
}

bool is_bound() {
  cpu_set_t now;
  return sched_getaffinity(0, sizeof now, &now) == 0 && CPU_COUNT(&now) < usable_cores();
}

}  // namespace lavo
