// SPDX-License-Identifier: MIT
#include "experiments/harness/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <span>
#include <unordered_map>

#include "lavo/core/check.h"
#include "lavo/core/files.h"

namespace lavo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCellSchema = "lavo.cell/1";
constexpr const char* kBlockSchema = "lavo.block/1";

/// Text that is no UTF-8 (a path, a message of the system) must not keep a record from being
/// written.
std::string to_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}
std::string to_text(const json& value) {
  return value.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

/// DIR/stem.jsonl and DIR/stem.2-of-5.jsonl, in the order of their names.
std::vector<fs::path> line_files(const fs::path& directory, const std::string& stem) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    if (name == stem + ".jsonl" || (name.starts_with(stem + ".") && name.ends_with(".jsonl"))) {
      files.push_back(entry.path());
    }
  }
  require<InputError>(!error, "{}: cannot be read: {}", directory.string(), error.message());
  std::ranges::sort(files);
  return files;
}

/// Null where the text is no JSON.
json json_or_null(std::string_view text) {
  try {
    return parse_json(text, "");
  } catch (const InputError&) {
    return {};
  }
}

/// Calls `see` with every line that is a JSON object; a line that is none was torn when its writer
/// or the machine died.
template <class See>
void for_each_line(const fs::path& file, std::vector<std::string>& warnings, See see) {
  const std::string text = read_text(file);
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    ++number;
    const json line = json_or_null(std::string_view(text).substr(begin, end - begin));
    if (line.is_object()) {
      see(line, number);
    } else {
      warnings.push_back(fmt::format("{}:{}: a torn line of {} bytes was left out", file.string(),
                                     number, end - begin));
    }
    begin = end + 1;
  }
}

bool is_text(const json& value) { return value.is_string(); }
bool is_object(const json& value) { return value.is_object(); }
bool is_number(const json& value) { return value.is_number(); }
bool is_index(const json& value) { return value.is_number_unsigned(); }
bool is_attempt(const json& value) {
  return value.is_number_integer() && value >= 1 && value <= 1'000'000;
}
/// Letters, digits, - and _: what may become the name of a file without leaving its folder.
bool is_plain_name(const json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
}

struct Field {
  const char* key;
  bool (*fits)(const json&);
};
/// What this program reads of a line without asking again.
constexpr Field kCellFields[] = {
    {"id", is_plain_name},          {"attempt", is_attempt}, {"status", is_text},
    {"experiment", is_text},        {"axes", is_object},     {"metrics", is_object},
    {"environment", is_plain_name}, {"started", is_text},    {"elapsed_s", is_number}};
constexpr Field kBlockFields[] = {{"id", is_plain_name}, {"attempt", is_attempt},
                                  {"block", is_index},   {"fingerprint", is_text},
                                  {"started", is_text},  {"result", is_object}};

/// Checks the schema, and that the fields are there with the right kinds.
bool is_line_of(const json& line, const std::string& schema, std::span<const Field> fields,
                const fs::path& file, size_t number, std::vector<std::string>& warnings) {
  const json found = line.value("schema", json());
  const std::string family = schema.substr(0, schema.find('/') + 1);
  require<InputError>(
      !found.is_string() || found == schema || !found.get<std::string>().starts_with(family),
      "{}:{}: got schema {}, this program reads {}", file.string(), number, found.dump(), schema);
  const auto fits = [&](const Field& field) {
    return line.contains(field.key) && field.fits(line[field.key]);
  };
  if (found == schema && std::ranges::all_of(fields, fits)) return true;
  warnings.push_back(
      fmt::format("{}:{}: not a line of {}, left out", file.string(), number, schema));
  return false;
}

std::string shard_file(const std::string& stem, Shard shard) {
  if (shard.count == 1) return stem + ".jsonl";
  return fmt::format("{}.{}-of-{}.jsonl", stem, shard.index, shard.count);
}

bool is_newer(const json& a, const json& b) {
  const auto key = [](const json& record) {
    return std::pair(record["attempt"].get<int64_t>(), record["started"].get<std::string>());
  };
  return key(a) > key(b);
}

void make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  require<InputError>(!error && fs::is_directory(directory), "{}: cannot be created: {}",
                      directory.string(), error ? error.message() : "a file of that name exists");
}

/// Moves what runs have written into a directory beside it; trained models stay.
void set_aside(const fs::path& directory) {
  std::vector<fs::path> found = line_files(directory, "cells");
  for (const fs::path& file : line_files(directory, "blocks")) found.push_back(file);
  for (const char* name : {"results.json", "plans", "environments"}) {
    if (fs::exists(directory / name)) found.push_back(directory / name);
  }
  if (found.empty()) return;
  std::string name = "before-" + utc_now();
  while (fs::exists(directory / name)) name += "+";
  make_directory(directory / name);
  for (const fs::path& path : found) {
    std::error_code error;
    fs::rename(path, directory / name / path.filename(), error);
    require<InputError>(!error, "{}: cannot be moved to {}: {}", path.string(), name,
                        error.message());
  }
}

fs::path prepare(fs::path directory, bool fresh) {
  make_directory(directory);
  if (fresh) set_aside(directory);
  return directory;
}

void sync_directory(const fs::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

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

}  // namespace

Records read_records(const fs::path& directory) {
  require<InputError>(fs::is_directory(directory), "{}: no such directory", directory.string());
  Records records;
  for (const fs::path& file : line_files(directory, "cells")) {
    for_each_line(file, records.warnings, [&](const json& line, size_t number) {
      if (!is_line_of(line, kCellSchema, kCellFields, file, number, records.warnings)) return;
      const auto [at, is_first] = records.by_id.try_emplace(line["id"].get<std::string>(), line);
      if (!is_first && !is_newer(at->second, line)) at->second = line;
    });
  }
  return records;
}

json merge_results(const std::vector<fs::path>& directories, std::vector<std::string>& warnings) {
  std::map<std::string, json> cells;
  json environments = json::object();
  for (const fs::path& directory : directories) {
    Records records = read_records(directory);
    warnings.insert(warnings.end(), records.warnings.begin(), records.warnings.end());
    for (auto& [id, record] : records.by_id) {
      const std::string environment = record["environment"];
      const fs::path file = directory / "environments" / (environment + ".json");
      if (!environments.contains(environment)) {
        if (fs::exists(file)) {
          environments[environment] = read_json(file);
        } else {
          warnings.push_back(fmt::format("{}: missing: what cell {} was measured on is not known",
                                         file.string(), id));
          environments[environment] = {{"machine", json::object()},
                                       {"build", json::object()},
                                       {"circumstance", json::object()}};
        }
      }
      const auto [at, is_first] = cells.try_emplace(id, record);
      if (!is_first && !is_newer(at->second, record)) at->second = record;
    }
  }
  json list = json::array();
  for (auto& [id, record] : cells) list.push_back(std::move(record));
  return {{"schema", "lavo.results/1"}, {"environments", environments}, {"cells", list}};
}

JsonLines::~JsonLines() {
  if (descriptor_ >= 0) ::close(descriptor_);
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
    make_directory(output / "environments");
    make_directory(output / "plans");
    for (const auto& [id, environment] : results["environments"].items()) {
      write_atomically(output / "environments" / (id + ".json"), environment.dump(1) + "\n");
    }
    for (const fs::path& source : sources) {
      std::error_code none;
      for (const auto& entry : fs::directory_iterator(source / "plans", none)) {
        const fs::path copy = output / "plans" / entry.path().filename();
        if (!fs::exists(copy)) write_atomically(copy, read_text(entry.path()));
      }
    }
    std::string lines;
    for (const json& record : results["cells"]) lines += to_line(record);
    write_atomically(output / "cells.merged.jsonl", lines);
  }
  write_atomically(output / "results.json", to_text(results));
  return results;
}

JsonLines::JsonLines(fs::path path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  require<InputError>(descriptor_ >= 0, "{}: cannot be written: {}", path_.string(),
                      std::strerror(errno));
  // A safeguard against starting a run twice, where the file system has locks that work.
  const bool taken = ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  require<InputError>(!taken,
                      "{}: another run is writing it; wait, or divide the cells with --shard",
                      path_.string());
  sync_directory(path_.parent_path());
  mend();
}

void JsonLines::mend() {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) return;
  const std::string text = read_text(path_);
  if (text.ends_with('\n')) return;
  const size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  const bool only_newline_lost = json::accept(text.substr(whole));
  const bool mended = only_newline_lost ? ::write(descriptor_, "\n", 1) == 1
                                        : ::ftruncate(descriptor_, static_cast<off_t>(whole)) == 0;
  require<InputError>(mended, "{}: cannot be mended: {}", path_.string(), std::strerror(errno));
}

void JsonLines::append(const json& line) {
  const std::string text = to_line(line);
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(descriptor_, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<size_t>(count);
  }
  if (written == text.size() && (::fsync(descriptor_) == 0 || errno == EINVAL)) return;
  const int reason = errno;
  if (before >= 0 && ::ftruncate(descriptor_, before) != 0) {
    // Nothing more can be done: readers leave a torn line out.
  }
  fail<InputError>("{}: cannot be written: {}", path_.string(), std::strerror(reason));
}

Store::Store(fs::path directory, Shard shard, bool fresh)
    : directory_(prepare(std::move(directory), fresh)),
      cells_(directory_ / shard_file("cells", shard)),
      blocks_(directory_ / shard_file("blocks", shard)) {}

void Store::append_block(const std::string& id, const Unfinished& sofar,
                         const std::string& fingerprint) {
  blocks_.append({{"schema", kBlockSchema},
                  {"id", id},
                  {"attempt", sofar.attempt},
                  {"block", sofar.blocks.size() - 1},
                  {"fingerprint", fingerprint},
                  {"started", sofar.started},
                  {"result", to_json(sofar.blocks.back())}});
}

std::map<std::string, Store::Unfinished> Store::read_blocks(const std::string& fingerprint) const {
  std::map<std::string, Unfinished> found;
  std::vector<std::string> warnings;  // a lost block is measured again
  for (const fs::path& file : line_files(directory_, "blocks")) {
    for_each_line(file, warnings, [&](const json& line, size_t number) {
      if (!is_line_of(line, kBlockSchema, kBlockFields, file, number, warnings)) return;
      if (line["fingerprint"] != fingerprint) return;
      try {
        const BlockResult block = block_from_json(line["result"]);
        const int attempt = line["attempt"];
        Unfinished& sofar = found[line["id"]];
        if (attempt > sofar.attempt) sofar = {attempt, "", {}};
        const bool next = line["block"].get<size_t>() == sofar.blocks.size();
        if (attempt < sofar.attempt || !next) return;
        if (sofar.blocks.empty()) sofar.started = line["started"];
        sofar.blocks.push_back(block);
      } catch (const std::exception&) {
        return;
      }
    });
  }
  return found;
}

void Store::drop_blocks() {
  std::error_code ignored;
  fs::remove(blocks_.path(), ignored);
}

void Store::write_environment(const std::string& id, const json& environment) {
  make_directory(directory_ / "environments");
  write_atomically(directory_ / "environments" / (id + ".json"), environment.dump(1) + "\n");
}

void Store::write_plans(const Plan& plan, const json& asked) {
  make_directory(directory_ / "plans");
  std::unordered_map<std::string, const Cell*> cells;
  for (const Cell& cell : plan.cells) cells[cell.id] = &cell;
  for (const PlannedSweep& sweep : plan.sweeps) {
    json list = json::array();
    for (const std::string& id : sweep.ids) {
      const Cell& cell = *cells.at(id);
      list.push_back({{"id", id}, {"axes", cell.axes}, {"predicted_s", cell.prediction.seconds}});
    }
    const json content = {{"schema", "lavo.plan/1"},
                          {"name", sweep.name},
                          {"file", sweep.file},
                          {"experiment", sweep.experiment},
                          {"description", sweep.description},
                          {"profile", plan.profile},
                          {"asked", asked},
                          {"cells", list}};
    write_atomically(directory_ / "plans" / (sweep.name + ".json"), content.dump(1) + "\n");
  }
}

std::vector<std::string> Store::write_results() {
  std::vector<std::string> warnings;
  const ResultsLock lock(directory_);
  const json results = merge_results({directory_}, warnings);
  write_atomically(directory_ / "results.json", to_text(results));
  return warnings;
}

}  // namespace lavo
