// SPDX-License-Identifier: MIT
#include "reports/page/python.h"

#include <algorithm>
#include <cstdlib>

#include "lavo/core/process.h"

namespace lavo::report {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// Interpreters of the environments that run_all.sh keeps, the newest first.
std::vector<fs::path> kept_interpreters() {
  std::string root = variable("LAVO_ENV_ROOT");
  if (root.empty() && !variable("XDG_CACHE_HOME").empty())
    root = variable("XDG_CACHE_HOME") + "/lavo";
  if (root.empty()) root = variable("HOME") + "/.cache/lavo";
  std::error_code ignored;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(root, ignored)) {
    const fs::path python = entry.path() / "bin/python";
    if (fs::exists(python, ignored)) found.push_back(python);
  }
  const auto made = [&](const fs::path& python) {
    return fs::last_write_time(python.parent_path(), ignored);
  };
  std::ranges::sort(found, std::greater{}, made);
  return found;
}

}  // namespace

std::optional<fs::path> find_python(const std::string& modules) {
  std::vector<fs::path> candidates = {variable("LAVO_PYTHON"), LAVO_PYTHON};
  const auto kept = kept_interpreters();
  candidates.insert(candidates.end(), kept.begin(), kept.end());
  candidates.push_back("python3");
  for (const fs::path& python : candidates) {
    if (python.empty()) continue;
    if (run_and_wait({python.string(), "-c", "import " + modules}).code == 0) return python;
  }
  return std::nullopt;
}

}  // namespace lavo::report
