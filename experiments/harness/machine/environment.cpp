// SPDX-License-Identifier: MIT
#include "experiments/harness/machine/environment.h"

#include <ATen/Version.h>
#include <sys/utsname.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "experiments/harness/machine/build_info.h"
#include "experiments/harness/machine/nvml.h"
#include "experiments/harness/machine/resources.h"
#include "lavo/core/sha256.h"

extern char** environ;

namespace lavo {
namespace {

/// What the kernel keeps for itself changes a little from boot to boot; the machine does not.
constexpr double kMemoryStep = 256.0 * (1 << 20);

std::string read_first_line(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

json line_or_null(const std::string& file) {
  const std::string line = read_first_line(file);
  return line.empty() ? json() : json(line);
}

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    // x86 says "model name", others say "Processor" or "Model".
    for (const char* key : {"model name", "Processor", "Model"}) {
      const size_t colon = line.find(": ");
      if (line.starts_with(key) && colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown";
}

json machine(const json& gpus) {
  const json gpu = gpus.is_null() ? json::object() : gpus["gpus"][0];
  return {{"cpu_model", cpu_model()},
          {"cores", usable_cores()},
          {"memory_bytes",
           static_cast<int64_t>(std::round(total_memory() / kMemoryStep) * kMemoryStep)},
          {"gpu_model", gpu.value("model", json())},
          {"gpu_memory_bytes", gpu.value("memory_bytes", json())},
          {"driver", gpus.is_null() ? json() : gpus["driver"]}};
}

json build() {
  const std::string cuda = kBuildInfo.cuda;
  return {{"version", kBuildInfo.version}, {"commit", kBuildInfo.commit},
          {"dirty", kBuildInfo.dirty},     {"compiler", kBuildInfo.compiler},
          {"flags", kBuildInfo.flags},     {"type", kBuildInfo.type},
          {"libtorch", TORCH_VERSION},     {"cuda", cuda.empty() ? json() : json(cuda)}};
}

/// Lowest and highest clock of the cores that tell it.
json clocks() {
  std::ifstream in("/proc/cpuinfo");
  double low = 0, high = 0;
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(':');
    if (!line.starts_with("cpu MHz") || colon == std::string::npos) continue;
    const double mhz = std::strtod(line.c_str() + colon + 1, nullptr);
    low = low > 0 ? std::min(low, mhz) : mhz;
    high = std::max(high, mhz);
  }
  return high > 0 ? json{low, high} : json();
}

json governors() {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/devices/system/cpu", error)) {
    const std::string name = read_first_line(entry.path() / "cpufreq/scaling_governor");
    if (!name.empty() && std::ranges::find(found, name) == found.end()) found.push_back(name);
  }
  if (found.empty()) return nullptr;
  std::ranges::sort(found);
  std::string text;
  for (const std::string& name : found) text += (text.empty() ? "" : ", ") + name;
  return text;
}

json turbo() {
  const std::string intel = read_first_line("/sys/devices/system/cpu/intel_pstate/no_turbo");
  if (!intel.empty()) return intel == "0";
  const std::string boost = read_first_line("/sys/devices/system/cpu/cpufreq/boost");
  return boost.empty() ? json() : json(boost == "1");
}

/// Variables that change how fast LibTorch, OpenMP and CUDA are.
json variables() {
  json found = json::object();
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    for (const char* prefix : {"OMP_", "MKL_", "KMP_", "GOMP_", "ATEN_", "CUDA_", "CUBLAS_",
                               "PYTORCH_", "THP_", "LD_PRELOAD=", "MALLOC_", "LAVO_"}) {
      if (!text.starts_with(prefix)) continue;
      const size_t at = text.find('=');
      found[text.substr(0, at)] = text.substr(at + 1);
    }
  }
  return found;
}

json circumstance(const json& gpus) {
  std::array<double, 3> load{};
  ::getloadavg(load.data(), 3);
  utsname system{};
  ::uname(&system);
  const auto quota = cpu_quota();
  return {{"host", system.nodename},
          {"kernel", std::string(system.sysname) + " " + system.release},
          {"load", load},
          {"governor", governors()},
          {"cpu_mhz", clocks()},
          {"turbo", turbo()},
          {"aslr", line_or_null("/proc/sys/kernel/randomize_va_space")},
          {"huge_pages", line_or_null("/sys/kernel/mm/transparent_hugepage/enabled")},
          {"threads_bound", is_bound()},
          {"cpu_quota", quota ? json(*quota) : json()},
          {"memory_available_bytes", static_cast<int64_t>(available_memory())},
          {"instructions", at::get_cpu_capability()},
          {"variables", variables()},
          {"gpus", gpus.is_null() ? json() : gpus["gpus"]}};
}

std::string digest(const std::string& text) { return sha256(text).substr(0, 16); }

void find_cpu_troubles(const json& machine, const json& now, std::vector<std::string>& troubles) {
  const auto cores = machine["cores"].get<double>();
  const double load = now["load"][0];
  if (load > 0.3 * cores && load > 0.5) {
    troubles.push_back(fmt::format(
        "load {:.1f} on {} cores: other programs take time from what is measured; end them, or "
        "trust only exact metrics",
        load, cores));
  }
  if (cores < 4) {
    troubles.push_back(
        fmt::format("only {} core{}: the system itself disturbs what is measured; use more blocks "
                    "(--set limits.blocks=10)",
                    cores, cores == 1 ? "" : "s"));
  }
  if (now["governor"].is_string() && now["governor"] != "performance") {
    troubles.push_back(fmt::format(
        "frequency governor '{}': clocks change while something is measured; set it to performance "
        "(cpupower frequency-set -g performance)",
        now["governor"].get<std::string>()));
  }
  if (now["cpu_quota"].is_number() && now["cpu_quota"].get<double>() < cores) {
    troubles.push_back(fmt::format(
        "a control group allows {} CPUs of {}: threads are stopped in between; use --threads {}",
        now["cpu_quota"].get<double>(), cores,
        std::max(1, static_cast<int>(now["cpu_quota"].get<double>()))));
  }
}

void find_gpu_troubles(const json& gpu, std::vector<std::string>& troubles) {
  const std::string name = gpu["model"].is_string() ? gpu["model"].get<std::string>() : "the GPU";
  for (const json& reason : gpu["throttle_reasons"]) {
    if (reason == "idle" || reason == "application clocks") continue;
    troubles.push_back(fmt::format("{} is slowed down: {}", name, reason.get<std::string>()));
  }
  if (gpu["mig"] == true) {
    troubles.push_back(name + " is divided (MIG): bandwidth is shared with other instances");
  }
  if (gpu["processes"].is_number() && gpu["processes"].get<int>() > 0) {
    troubles.push_back(
        fmt::format("{} other processes compute on {}", gpu["processes"].get<int>(), name));
  }
  if (gpu["persistence"] == false) {
    troubles.push_back(name +
                       " has persistence mode off: the first call after a pause is slow "
                       "(nvidia-smi -pm 1)");
  }
}

}  // namespace

json read_environment() {
  const json gpus = read_gpus();
  const json found = {
      {"machine", machine(gpus)}, {"build", build()}, {"circumstance", circumstance(gpus)}};
  // Variables may hold any bytes; records are UTF-8.
  return json::parse(found.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string environment_id(const json& environment) { return digest(environment.dump()); }

std::string environment_fingerprint(const json& environment) {
  return digest(environment["machine"].dump() + environment["build"].dump());
}

std::vector<std::string> find_troubles(const json& environment) {
  std::vector<std::string> troubles;
  const json& build = environment["build"];
  const json& now = environment["circumstance"];
  if (build["type"] != "Release" && build["type"] != "RelWithDebInfo") {
    troubles.push_back(
        fmt::format("built as {}: times mean nothing; use --preset release", build["type"].dump()));
  }
  if (build["flags"].get<std::string>().find("-fsanitize") != std::string::npos) {
    troubles.push_back("built with sanitizers: times and memory mean nothing");
  }
  if (build["dirty"] == true) {
    troubles.push_back("built from changed files: commit " + build["commit"].get<std::string>() +
                       " does not say what was measured");
  }
  find_cpu_troubles(environment["machine"], now, troubles);
  if (now["gpus"].is_array()) find_gpu_troubles(now["gpus"][0], troubles);
  if (environment["machine"]["gpu_model"].is_string() && build["cuda"].is_null()) {
    troubles.push_back("there is a GPU, but this build is for the CPU; use --preset cuda");
  }
  return troubles;
}

}  // namespace lavo
