// SPDX-License-Identifier: MIT
#include "reports/compare/compare_input.h"

#include <algorithm>
#include <cstdlib>

#include "lavo/core/check.h"
#include "reports/records/check_results.h"

namespace lavo::compare {
namespace {

constexpr std::string_view kBaseline = "baseline:";

}  // namespace

Input parse_results(const json& document, const std::string& source) {
  check_results(document, source);
  Input input = results_from_json(document, source);
  require<InputError>(!input.cells.empty(), "{}: there are no cells", source);
  std::ranges::sort(input.cells, {}, [](const Cell& cell) { return std::tie(cell.name, cell.id); });
  return input;
}

std::filesystem::path baseline_path(const std::string& name) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  };
  require<InputError>(!name.empty() && name.front() != '.' && std::ranges::all_of(name, allowed),
                      "baseline name '{}': wanted letters, digits, '-', '_' and '.'", name);
  const char* folder = std::getenv("LAVO_BASELINES");
  const bool given = folder != nullptr && *folder != '\0';
  return std::filesystem::path(given ? folder : ".lavo/baselines") / (name + ".json");
}

Input read_results(const std::string& what) {
  std::filesystem::path path = what;
  if (what.starts_with(kBaseline)) {
    path = baseline_path(what.substr(kBaseline.size()));
    std::vector<std::string> known;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(path.parent_path(), none))
      known.push_back(entry.path().stem().string());
    std::ranges::sort(known);
    require<InputError>(std::filesystem::exists(path), "{}: {}", path.parent_path().string(),
                        unknown_name("baseline", path.stem().string(), known));
  }
  if (std::filesystem::is_directory(path)) path /= "results.json";
  return parse_results(read_results_json(path), path.string());
}

}  // namespace lavo::compare
