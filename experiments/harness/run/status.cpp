// SPDX-License-Identifier: MIT
#include "experiments/harness/run/status.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <vector>

#include "experiments/harness/run/progress.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/run_directory.h"
#include "reports/records/words.h"

namespace lavo {
namespace {

namespace fs = std::filesystem;

std::string sweep_line(const json& plan, const Records& records) {
  std::map<std::string, int> counts;
  double seconds = 0;
  int done = 0;
  for (const json& cell : plan.at("cells")) {
    const auto found = records.by_id.find(cell.at("id").get<std::string>());
    if (found == records.by_id.end()) {
      seconds += cell.at("predicted_s").get<double>();
      continue;
    }
    ++done;
    ++counts[found->second["status"].get<std::string>()];
  }
  std::string text = fmt::format("{}: {}/{} cells", plan.at("name").get<std::string>(), done,
                                 plan.at("cells").size());
  for (const auto& [status, count] : counts) text += fmt::format(", {} {}", count, status);
  if (seconds > 0) text += fmt::format("; predicted {} left", duration_text(seconds));
  return text + "\n";
}

std::vector<fs::path> plans_in(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory / "plans", none)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

std::string status_text(const fs::path& directory) {
  const Records records = read_records(directory);
  std::string text;
  for (const std::string& warning : records.warnings) text += warning + "\n";
  for (const fs::path& file : plans_in(directory)) {
    try {
      text += sweep_line(read_json(file), records);
    } catch (const json::exception&) {
      text += fmt::format("{}: not a plan, left out\n", file.string());
    } catch (const InputError& error) {
      text += fmt::format("{}; left out\n", error.what());
    }
  }
  for (const auto& [id, record] : records.by_id) {
    const auto status = record["status"].get<Status>();
    if (status == Status::kOk || status == Status::kSkipped) continue;
    const std::string reason = record.contains("reason") && record["reason"].is_string()
                                   ? record["reason"].get<std::string>()
                                   : "";
    text += on_one_line(fmt::format("{} {} {}: {}", id, status,
                                    record["experiment"].get<std::string>(), reason)) +
            "\n";
  }
  return text.empty() ? "nothing was run here\n" : text;
}

}  // namespace lavo
