// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

namespace lavo {

/// Checks the cells of a run (.jsonl) or its results (.json) as check_results.h says. Returns one
/// line that says what the file holds. Throws InputError: the file, its line and column or the JSON
/// path, what was got, what was wanted.
std::string validate_records(const std::filesystem::path& path);

}  // namespace lavo
