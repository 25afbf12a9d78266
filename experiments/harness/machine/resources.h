// SPDX-License-Identifier: MIT
// What the system and the control groups around this process let it have.
#pragma once

#include <sched.h>

#include <cstdint>
#include <filesystem>
#include <optional>

namespace lavo {

/// Where to look; tests look elsewhere.
struct SystemFiles {
  std::filesystem::path proc = "/proc";
  std::filesystem::path cgroup = "/sys/fs/cgroup";
};

/// Bytes that this process may take now: what is free on the system and in every control group
/// above it (version 1 and 2), whichever is least. Page cache counts as free.
double available_memory(const SystemFiles& files = {});

/// Bytes that there are at most: the system's memory or the least limit of a control group.
double total_memory(const SystemFiles& files = {});

/// CPUs that a control group's quota allows, if one does: 1.5.
std::optional<double> cpu_quota(const SystemFiles& files = {});

/// Processes that the system has killed since it started because memory had run out.
int64_t out_of_memory_kills(const SystemFiles& files = {});

/// Bytes of this process that RLIMIT_DATA counts.
double data_segment(const SystemFiles& files = {});

/// The CPUs that this process was started with. OpenMP, told to bind its threads, leaves the first
/// one a single core before main begins; a worker gets these back.
const cpu_set_t& initial_cores();
int64_t usable_cores();  ///< how many they are
/// Whether the calling thread has been bound to fewer of them.
bool is_bound();

}  // namespace lavo
