// SPDX-License-Identifier: MIT
#include "experiments/harness/machine/nvml.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace lavo {
namespace {

// The library's stable interface, by its documentation; its header is not free to redistribute.
using Handle = void*;
struct Memory {
  unsigned long long total, free, used;
};
constexpr unsigned kText = 96;  ///< longest name or version that the library writes
constexpr int kSuccess = 0, kInsufficientSize = 7;
constexpr int kSmClock = 1, kMemoryClock = 2, kCoreTemperature = 0;

class Library {
 public:
  Library() : handle_(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    works_ = handle_ && call<int()>("nvmlInit_v2") == kSuccess;
  }
  ~Library() {
    if (works_) call<int()>("nvmlShutdown");
    if (handle_) ::dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool works() const { return works_; }

  /// The function's result, or -1 where this driver has none of that name.
  template <class Function, class... Values>
  int call(const char* name, Values... values) const {
    auto* function = reinterpret_cast<Function*>(::dlsym(handle_, name));
    return function ? function(values...) : -1;
  }

  json text(const char* name, Handle device) const {
    char buffer[kText] = {};
    const bool known = call<int(Handle, char*, unsigned)>(name, device, buffer, kText) == kSuccess;
    return known ? json(std::string(buffer)) : json();
  }
  json number(const char* name, Handle device, double scale = 1) const {
    unsigned value = 0;
    const bool known = call<int(Handle, unsigned*)>(name, device, &value) == kSuccess;
    return known ? json(value * scale) : json();
  }
  json number_of(const char* name, Handle device, int which) const {
    unsigned value = 0;
    const bool known = call<int(Handle, int, unsigned*)>(name, device, which, &value) == kSuccess;
    return known ? json(value) : json();
  }
  json mode(const char* name, Handle device) const {  // current and pending
    unsigned current = 0, pending = 0;
    const bool known =
        call<int(Handle, unsigned*, unsigned*)>(name, device, &current, &pending) == kSuccess;
    return known ? json(current != 0) : json();
  }

 private:
  void* handle_;
  bool works_ = false;
};

json read_gpu(const Library& library, Handle gpu) {
  Memory memory{};
  const bool has_memory =
      library.call<int(Handle, Memory*)>("nvmlDeviceGetMemoryInfo", gpu, &memory) == kSuccess;
  unsigned long long throttle = 0;
  const bool has_throttle = library.call<int(Handle, unsigned long long*)>(
                                "nvmlDeviceGetCurrentClocksThrottleReasons", gpu, &throttle) == 0;
  unsigned persistence = 0, processes = 0;
  const bool has_persistence = library.call<int(Handle, unsigned*)>("nvmlDeviceGetPersistenceMode",
                                                                    gpu, &persistence) == kSuccess;
  const int counted = library.call<int(Handle, unsigned*, void*)>(
      "nvmlDeviceGetComputeRunningProcesses_v3", gpu, &processes, static_cast<void*>(nullptr));
  return {{"model", library.text("nvmlDeviceGetName", gpu)},
          {"uuid", library.text("nvmlDeviceGetUUID", gpu)},
          {"memory_bytes", has_memory ? json(memory.total) : json()},
          {"sm_clock_mhz", library.number_of("nvmlDeviceGetClockInfo", gpu, kSmClock)},
          {"sm_clock_max_mhz", library.number_of("nvmlDeviceGetMaxClockInfo", gpu, kSmClock)},
          {"memory_clock_mhz", library.number_of("nvmlDeviceGetClockInfo", gpu, kMemoryClock)},
          {"power_w", library.number("nvmlDeviceGetPowerUsage", gpu, 1e-3)},
          {"power_limit_w", library.number("nvmlDeviceGetPowerManagementLimit", gpu, 1e-3)},
          {"temperature_c", library.number_of("nvmlDeviceGetTemperature", gpu, kCoreTemperature)},
          {"throttle_reasons", has_throttle ? json(throttle_reasons(throttle)) : json()},
          {"mig", library.mode("nvmlDeviceGetMigMode", gpu)},
          {"ecc", library.mode("nvmlDeviceGetEccMode", gpu)},
          {"persistence", has_persistence ? json(persistence != 0) : json()},
          {"processes",
           counted == kSuccess || counted == kInsufficientSize ? json(processes) : json()}};
}

/// The GPU that this process sees first: by index or by identifier.
bool is_first_visible(const json& gpu, size_t index) {
  const char* listed = std::getenv("CUDA_VISIBLE_DEVICES");
  if (!listed) return index == 0;
  const std::string text = listed;
  const std::string first = text.substr(0, text.find(','));
  if (first == std::to_string(index)) return true;
  return first.size() > 4 && gpu["uuid"].is_string() &&
         gpu["uuid"].get<std::string>().starts_with(first);
}

}  // namespace

std::vector<std::string> throttle_reasons(unsigned long long mask) {
  static const std::vector<std::string> names = {"idle",
                                                 "application clocks",
                                                 "software power cap",
                                                 "hardware slowdown",
                                                 "sync boost",
                                                 "software thermal slowdown",
                                                 "hardware thermal slowdown",
                                                 "power brake",
                                                 "display clocks"};
  std::vector<std::string> found;
  for (size_t bit = 0; bit < names.size(); ++bit) {
    if (mask >> bit & 1) found.push_back(names[bit]);
  }
  return found;
}

json read_gpus() {
  const Library library;
  unsigned count = 0;
  if (!library.works() ||
      library.call<int(unsigned*)>("nvmlDeviceGetCount_v2", &count) != kSuccess || count == 0) {
    return nullptr;
  }
  json gpus = json::array();
  for (unsigned i = 0; i < count; ++i) {
    Handle gpu = nullptr;
    if (library.call<int(unsigned, Handle*)>("nvmlDeviceGetHandleByIndex_v2", i, &gpu)) continue;
    gpus.push_back(read_gpu(library, gpu));
    if (is_first_visible(gpus.back(), i)) std::swap(gpus.front(), gpus.back());
  }
  if (gpus.empty()) return nullptr;
  char driver[kText] = {};
  library.call<int(char*, unsigned)>("nvmlSystemGetDriverVersion", driver, kText);
  return {{"driver", std::string(driver)}, {"gpus", gpus}};
}

}  // namespace lavo
