// SPDX-License-Identifier: MIT
#pragma once

#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <string>
#include <string_view>

namespace lavo {

/// Parses TOML that stands in `file`. Throws InputError with file, line and column, also for a key
/// of more than 10 parts (a.b.c has 3): each part is a table in a table, and those are destroyed by
/// recursion, on a stack that ends.
toml::table parse_toml(std::string_view text, const std::string& file);

}  // namespace lavo
