// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lavo::report {

struct ReportResult {
  std::filesystem::path page;
  size_t figures = 0;
  std::string without_pictures;  ///< why there are no PNG, SVG and interactive charts; else empty
};

/// Writes OUT/index.html, which needs nothing beside it, and for each figure OUT/ID.vl.json, ID.png
/// and ID.svg. Reads results.json of every directory. `draw` = false: tables and
/// specifications only. Throws InputError.
ReportResult write_report(const std::vector<std::filesystem::path>& directories,
                          const std::filesystem::path& out, bool draw = true);

}  // namespace lavo::report
