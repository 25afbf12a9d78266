// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace lavo {

/// A file that was built into the program, by its path under reports/: "schema/cell.json".
std::string_view asset(std::string_view name);

}  // namespace lavo
