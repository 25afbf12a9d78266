// SPDX-License-Identifier: MIT
#include "reports/records/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/lines.h"
#include "reports/records/setups.h"
#include "reports/records/words.h"

namespace lavo {
namespace {

namespace fs = std::filesystem;

constexpr Field kCellFields[] = {
    {"id", is_plain_name},          {"attempt", is_attempt}, {"status", is_text},
    {"experiment", is_text},        {"axes", is_object},     {"metrics", is_object},
    {"environment", is_plain_name}, {"started", is_text},    {"elapsed_s", is_number}};

/// Held from the reading of records to the renaming of results.json: of shards that end together
/// each finds what those before it wrote, so the last one writes them all. Where the file system
/// has no locks, `merge` puts it right.
class ResultsLock {
 public:
  explicit ResultsLock(const fs::path& directory)
      : descriptor_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    while (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~ResultsLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  ResultsLock(const ResultsLock&) = delete;
  ResultsLock& operator=(const ResultsLock&) = delete;

 private:
  int descriptor_;
};

/// Reads every line of a directory's records.
void add_records(const fs::path& directory, Merger& merger, std::vector<std::string>& warnings) {
  require<InputError>(fs::is_directory(directory), "{}: no such directory", directory.string());
  for (const fs::path& file : line_files(directory, "cells")) {
    for_each_line(file, {"lavo.cell/1", kCellFields}, warnings, [&](const json& line) {
      parse_word<Status>(line["status"].get<std::string>(), file.string());
      merger.add(line);
    });
  }
}

/// Environments and mechanisms: one JSON file each, in a folder of the directory.
void add_folder(const fs::path& folder, json& found, std::vector<std::string>& warnings) {
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    const std::string name = file.stem();
    try {
      json content = read_json(file);
      require<InputError>(content.is_object(), "{}: not an object", file.string());
      found.emplace(name, std::move(content));
    } catch (const InputError& error) {
      warnings.push_back(fmt::format("{}; it was left out", error.what()));
    }
  }
}

void write_folder(const fs::path& folder, const json& contents) {
  make_directory(folder);
  for (const auto& [name, content] : contents.items()) {
    write_atomically(folder / (name + ".json"), json_text(content, 1));
  }
}

/// What stands for an environment whose file is lost.
const json kUnknownEnvironment = {{"machine",
                                   {{"cpu_model", "unknown"},
                                    {"cores", 1},
                                    {"memory_bytes", 0},
                                    {"gpu_model", nullptr},
                                    {"gpu_memory_bytes", nullptr},
                                    {"driver", nullptr}}},
                                  {"build", json::object()},
                                  {"circumstance", json::object()}};

void copy_plans(const fs::path& from, const fs::path& to) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(from, none)) {
    const fs::path copy = to / entry.path().filename();
    if (!fs::exists(copy)) write_atomically(copy, read_text(entry.path()));
  }
}

}  // namespace

void make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  require<InputError>(!error && fs::is_directory(directory), "{}: cannot be created: {}",
                      directory.string(), error ? error.message() : "a file of that name exists");
}

Records read_records(const fs::path& directory) {
  Records records;
  Merger merger;
  add_records(directory, merger, records.warnings);
  if (!merger.dropped().empty()) records.warnings.push_back(merger.dropped());
  records.by_id = merger.records();
  records.attempts = merger.attempts();
  return records;
}

json merge_results(const std::vector<fs::path>& directories, std::vector<std::string>& warnings) {
  Merger merger;
  json known = json::object(), mechanisms = json::object();
  for (const fs::path& directory : directories) {
    add_records(directory, merger, warnings);
    add_folder(directory / "environments", known, warnings);
    add_folder(directory / "mechanisms", mechanisms, warnings);
  }
  if (!merger.dropped().empty()) warnings.push_back(merger.dropped());
  json environments = json::object(), cells = json::array(), met = json::object();
  for (const auto& [id, record] : merger.records()) {
    const std::string environment = record["environment"];
    if (!known.contains(environment)) {
      warnings.push_back(
          fmt::format("environments/{}.json: missing: what cell {} was measured on "
                      "is not known",
                      environment, id));
      known[environment] = kUnknownEnvironment;
    }
    environments[environment] = known[environment];
    const json mechanism = record["axes"].value("mechanism", json());
    if (mechanism.is_string() && mechanisms.contains(mechanism)) {
      met[mechanism.get<std::string>()] = mechanisms[mechanism];
    }
    cells.push_back(record);
  }
  const std::string difference = difference_text(setups_of(environments));
  if (!difference.empty()) warnings.push_back(difference);
  json results = {
      {"schema", "lavo.results/1"}, {"environments", environments}, {"cells", std::move(cells)}};
  if (!met.empty()) results["mechanisms"] = std::move(met);
  return results;
}

json merge_directories(const std::vector<fs::path>& directories, const fs::path& output,
                       std::vector<std::string>& warnings) {
  const auto is_output = [&](const fs::path& directory) {
    std::error_code none;
    return fs::equivalent(directory, output, none);
  };
  std::vector<fs::path> sources = directories;
  if (fs::is_directory(output) && std::ranges::none_of(sources, is_output)) {
    sources.push_back(output);
  }
  const ResultsLock lock(output);
  const json results = merge_results(sources, warnings);
  if (sources.size() > 1 || !is_output(sources.front())) {
    write_folder(output / "environments", results["environments"]);
    write_folder(output / "mechanisms", results.value("mechanisms", json::object()));
    make_directory(output / "plans");
    for (const fs::path& source : sources) copy_plans(source / "plans", output / "plans");
    std::string lines;
    for (const json& record : results["cells"]) lines += json_text(record, -1);
    write_atomically(output / "cells.merged.jsonl", lines);
  }
  write_atomically(output / "results.json", json_text(results, 1));
  return results;
}

std::vector<std::string> write_results(const fs::path& directory) {
  std::vector<std::string> warnings;
  const ResultsLock lock(directory);
  write_atomically(directory / "results.json", json_text(merge_results({directory}, warnings), 1));
  return warnings;
}

}  // namespace lavo
