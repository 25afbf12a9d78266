// SPDX-License-Identifier: MIT
// The one place that knows where a Python with the report's libraries is.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace lavo::report {

/// The first of these that can import `modules`: the interpreter that the variable LAVO_PYTHON
/// names, the one that the build was configured with, those of the environments that run_all.sh
/// keeps (${LAVO_ENV_ROOT:-${XDG_CACHE_HOME:-~/.cache}/lavo}/*, the newest first), and python3 on
/// PATH. Nothing need be activated.
std::optional<std::filesystem::path> find_python(const std::string& modules);

}  // namespace lavo::report
