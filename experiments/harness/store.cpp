// SPDX-License-Identifier: MIT
#include "experiments/harness/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/lines.h"
#include "reports/records/run_directory.h"

namespace lavo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBlockSchema = "lavo.block/1";

/// What is read of a line without asking again.
constexpr Field kBlockFields[] = {{"id", is_plain_name}, {"attempt", is_attempt},
                                  {"block", is_index},   {"fingerprint", is_text},
                                  {"started", is_text},  {"result", is_object}};

std::string shard_file(const std::string& stem, Shard shard) {
  if (shard.count == 1) return stem + ".jsonl";
  return fmt::format("{}.{}-of-{}.jsonl", stem, shard.index, shard.count);
}

/// Moves what runs have written into a directory beside it; trained models stay.
void set_aside(const fs::path& directory) {
  std::vector<fs::path> found = line_files(directory, "cells");
  for (const fs::path& file : line_files(directory, "blocks")) found.push_back(file);
  for (const char* name : {"results.json", "plans", "environments", "mechanisms"}) {
    if (fs::exists(directory / name)) found.push_back(directory / name);
  }
  if (found.empty()) return;
  // Without the colons of a time: file systems and stores of artifacts refuse them.
  std::string name = "before-" + utc_now();
  std::erase(name, ':');
  while (fs::exists(directory / name)) name += "-again";
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

}  // namespace

JsonLines::~JsonLines() {
  if (descriptor_ >= 0) ::close(descriptor_);
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
  const std::string text = json_text(line, -1);
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
    for_each_line(file, {kBlockSchema, kBlockFields}, warnings, [&](const json& line) {
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
  write_atomically(directory_ / "environments" / (id + ".json"), json_text(environment, 1));
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
      if (!cell.matched_state.empty()) list.back()["matched_state"] = cell.matched_state;
    }
    const json content = {{"schema", "lavo.plan/1"},
                          {"name", sweep.name},
                          {"file", sweep.file},
                          {"experiment", sweep.experiment},
                          {"description", sweep.description},
                          {"profile", plan.profile},
                          {"asked", asked},
                          {"cells", list}};
    write_atomically(directory_ / "plans" / (sweep.name + ".json"), json_text(content, 1));
  }
}

}  // namespace lavo
