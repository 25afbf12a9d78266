// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

namespace lavo {

/// For each sweep that was planned in a run's directory how many cells have a record, by status,
/// and the predicted time of the rest; then every failed cell with its reason. Throws InputError
/// where there is no such directory.
std::string status_text(const std::filesystem::path& directory);

}  // namespace lavo
