// SPDX-License-Identifier: MIT
#include "reports/records/validate.h"

#include <map>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/check_results.h"

namespace lavo {
namespace {

using json = nlohmann::json;

std::string counts(const std::map<std::string, int>& statuses) {
  std::string text;
  for (const auto& [status, count] : statuses) text += fmt::format(", {} {}", count, status);
  return text.empty() ? "" : " (" + text.substr(2) + ")";
}

std::string validate_cells(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  const std::string name = path.string();
  std::map<std::string, int> statuses;
  size_t number = 0;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    const bool whole = end != std::string::npos;
    const std::string line = text.substr(start, whole ? end - start : end);
    start = whole ? end + 1 : text.size();
    const std::string here = fmt::format("{}:{}", name, ++number);
    require<InputError>(whole || json::accept(line),
                        "{}:{}: the last line is torn: its end is missing", here, line.size() + 1);
    const json cell = parse_json(line, name, number);
    check_record(cell, here);
    ++statuses[cell.at("status")];
  }
  return fmt::format("{}: valid, lavo.cell/1, {} records{}", name, number, counts(statuses));
}

std::string validate_results(const std::filesystem::path& path) {
  const json document = read_json(path);
  const std::string name = path.string();
  const std::string schema =
      document.is_object() && document.contains("schema") && document["schema"].is_string()
          ? document["schema"].get<std::string>()
          : "";
  if (schema == "lavo.cell/1") {
    check_record(document, name);
    return fmt::format("{}: valid, lavo.cell/1, one record", name);
  }
  require<InputError>(schema == "lavo.results/1",
                      "{}: $.schema: got {}, wanted \"lavo.results/1\" or \"lavo.cell/1\"", name,
                      schema.empty() ? "nothing" : json(schema).dump());
  check_results(document, name);
  std::map<std::string, int> statuses;
  for (const json& cell : document.at("cells")) ++statuses[cell.at("status")];
  return fmt::format("{}: valid, lavo.results/1, {} cells{}", name, document.at("cells").size(),
                     counts(statuses));
}

}  // namespace

std::string validate_records(const std::filesystem::path& path) {
  if (path.extension() == ".jsonl") return validate_cells(path);
  return validate_results(path);
}

}  // namespace lavo
