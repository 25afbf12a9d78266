// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace lavo {

/// The whole file. Throws InputError naming it.
std::string read_text(const std::filesystem::path& path);

/// Parses a JSON file. Throws InputError with file, line and column.
nlohmann::json read_json(const std::filesystem::path& path);

/// To a temporary file beside it, fsynced, renamed, the directory fsynced: the old file or the new
/// one is there, never half of one. Throws InputError with the system's reason.
void write_atomically(const std::filesystem::path& path, const std::string& content);

}  // namespace lavo
