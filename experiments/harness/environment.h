// SPDX-License-Identifier: MIT
// What a result was measured on: machine, build, circumstance.
#pragma once

#include <string>

#include "lavo/core/options.h"

namespace lavo {

/// {"machine": ..., "build": ..., "circumstance": ...}. Cheap enough for every run; reads the
/// system, starts nothing.
json read_environment();

/// The name by which records refer to it.
std::string environment_id(const json& environment);

/// Equal for equal machine and build, whatever the circumstance.
std::string environment_fingerprint(const json& environment);

/// Bytes that one more process may take now: what is free on the system and in every control group
/// above this process.
double available_memory();

}  // namespace lavo
