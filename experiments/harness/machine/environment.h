// SPDX-License-Identifier: MIT
// What a result was measured on.
#pragma once

#include <string>
#include <vector>

#include "lavo/core/options.h"

namespace lavo {

/// {"machine": ..., "build": ..., "circumstance": ...}; reads the system, starts nothing.
///   machine       cpu_model, cores, memory_bytes, gpu_model, gpu_memory_bytes, driver: results of
///                 machines that differ in any of them are not compared
///   build         version, commit, dirty, compiler, flags, type, libtorch, cuda
///   circumstance  host, kernel, load, governor, cpu_mhz, turbo, aslr, huge_pages, cpu_quota,
///                 threads_bound, memory_available_bytes, instructions, variables, gpus
json read_environment();

/// The name by which records refer to it.
std::string environment_id(const json& environment);

/// Equal for equal machine and build, whatever the circumstance.
std::string environment_fingerprint(const json& environment);

/// What makes measurements under these circumstances unreliable, a sentence each with its remedy.
std::vector<std::string> find_troubles(const json& environment);

}  // namespace lavo
