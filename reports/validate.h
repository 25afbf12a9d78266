// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace lavo {

/// Checks a sweep file (.toml), the cells of a run (.jsonl) or its results (.json) against the
/// published schema and against itself: ids once, environments there, blocks that sum to the
/// samples. Returns one line that says what the file holds. Throws InputError: the file, its line
/// and column or the JSON path, what was got, what was wanted.
std::string validate_file(const std::filesystem::path& path);

/// The checks for a parsed results.json; `name` begins the messages.
void check_results(const nlohmann::json& results, const std::string& name);

}  // namespace lavo
