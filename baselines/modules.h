// SPDX-License-Identifier: MIT
// Mechanisms from outside this project, added while the program runs. A module is a shared
// library whose loading calls add_mechanism. What it adds is named by the file and its digest, so
// that a fresh process can add it again and a result says which code made it.
#pragma once

#include <filesystem>
#include <string>

#include "lavo/core/options.h"

namespace lavo {

/// Loads a module, once in a process. Throws InputError where the file is no shared library
/// (.so), cannot be read or loaded, adds no mechanism, or has another digest than `sha256` (empty:
/// any).
void load_module(const std::filesystem::path& file, const std::string& sha256 = "");

/// What was loaded, in order: [{"path": ..., "sha256": ...}].
json loaded_modules();
/// Loads what loaded_modules() of another process listed.
void load_modules(const json& modules);

}  // namespace lavo
