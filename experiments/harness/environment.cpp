// SPDX-License-Identifier: MIT
#include "experiments/harness/environment.h"

#include <sched.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

#include "lavo/core/sha256.h"

namespace lavo {
namespace {

/// The value behind "key : value" in a file of /proc.
std::string proc_field(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

double meminfo(const std::string& key) {
  return 1024 * std::strtod(proc_field("/proc/meminfo", key).c_str(), nullptr);
}

int64_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return sysconf(_SC_NPROCESSORS_ONLN);
  return CPU_COUNT(&set);
}

json machine() {
  return {{"cpu_model", proc_field("/proc/cpuinfo", "model name")},
          {"cores", usable_cores()},
          {"memory_bytes", static_cast<int64_t>(meminfo("MemTotal"))},
          {"gpu_model", nullptr},
          {"gpu_memory_bytes", nullptr},
          {"driver", nullptr}};
}

json build() { return {{"libtorch", TORCH_VERSION}, {"compiler", "gcc " __VERSION__}}; }

json circumstance() {
  std::array<double, 3> load{};
  getloadavg(load.data(), 3);
  return {{"load", load}};
}

}  // namespace

json read_environment() {
  return {{"machine", machine()}, {"build", build()}, {"circumstance", circumstance()}};
}

std::string environment_id(const json& environment) {
  return sha256(environment.dump()).substr(0, 16);
}

std::string environment_fingerprint(const json& environment) {
  return sha256(environment["machine"].dump() + environment["build"].dump()).substr(0, 16);
}

double available_memory() { return meminfo("MemAvailable"); }

}  // namespace lavo
