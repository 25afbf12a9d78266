// SPDX-License-Identifier: MIT
#include "experiments/harness/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <future>

#include "experiments/registry.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/run_directory.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

/// A record of the faulty experiment's cell with this length.
json record_of(int64_t length, int attempt = 1, Status status = Status::kOk) {
  Cell cell;
  cell.id = fmt::format("{:016x}", length);
  cell.experiment = &find_experiment("faulty");
  cell.axes = cell.experiment->resolve({{"length", length}});
  return make_record(cell.identity(), attempt, status, status == Status::kOk ? "" : "a reason",
                     "e");
}

std::string lines_of(const std::vector<json>& records) {
  std::string text;
  for (const json& record : records) text += record.dump() + "\n";
  return text;
}

}  // namespace

TEST_CASE("records come back, the last attempt of each cell") {
  const TemporaryDirectory directory;
  {
    Store store(directory.path, {});
    store.append(record_of(1, 1, Status::kError));
    store.append(record_of(2));
    store.append(record_of(1, 2));
  }
  const Records records = read_records(directory.path);
  CHECK(records.warnings.empty());
  REQUIRE(records.by_id.size() == 2);
  CHECK(records.by_id.at(record_of(1)["id"])["attempt"] == 2);
}

TEST_CASE("a file cut at any byte loses the record that was cut and no other") {
  const TemporaryDirectory directory;
  const std::string first = lines_of({record_of(1)}), all = lines_of({record_of(1), record_of(2)});
  for (size_t length = 0; length <= all.size(); ++length) {
    directory.write("cells.jsonl", all.substr(0, length));
    const Records before = read_records(directory.path);
    // A record that lost only the end of its line is whole.
    const size_t whole = (length + 1 >= first.size()) + (length + 1 >= all.size());
    CHECK(before.by_id.size() == whole);
    const bool torn = length + 1 != first.size() && length != first.size() && length != 0 &&
                      length + 1 < all.size();
    CHECK(before.warnings.size() == static_cast<size_t>(torn));
    // Going on after it gives a file of whole lines.
    Store(directory.path, {}).append(record_of(3));
    const Records after = read_records(directory.path);
    CHECK(after.warnings.empty());
    CHECK(after.by_id.size() == whole + 1);
  }
}

TEST_CASE("lines that are no records are left out and reported, a newer schema is refused") {
  const TemporaryDirectory directory;
  const std::string good = lines_of({record_of(1)});
  for (const std::string bad :
       {"null", "[1]", "{}", "{\"schema\": \"lavo.cell/1\"}", "\"text\"", "{\"id\": 3",
        "{\"schema\":\"lavo.cell/1\",\"id\":1,\"attempt\":1}", "\xff\xfe", "\0\0\0"}) {
    directory.write("cells.jsonl", good + bad + "\n" + lines_of({record_of(2)}));
    const Records records = read_records(directory.path);
    CHECK(records.by_id.size() == 2);
    CHECK(records.warnings.size() == 1);
    CHECK_THAT(records.warnings.at(0), ContainsSubstring("cells.jsonl:2: "));
  }
  directory.write("cells.jsonl", good + "{\"schema\": \"lavo.cell/2\", \"id\": \"x\"}\n");
  CHECK_THROWS_AS(read_records(directory.path), InputError);
}

TEST_CASE("shards write files of their own and read all") {
  const TemporaryDirectory directory;
  Store one(directory.path, {1, 2}), two(directory.path, {2, 2});
  one.append(record_of(1));
  two.append(record_of(2));
  CHECK(read_records(directory.path).by_id.size() == 2);
  write_results(directory.path);
  const json results = read_json(directory.file("results.json"));
  CHECK(results["schema"] == "lavo.results/1");
  CHECK(results["cells"].size() == 2);
}

TEST_CASE("a second run that writes the same file is refused") {
  const TemporaryDirectory directory;
  const Store store(directory.path, {});
  CHECK_THROWS_AS(Store(directory.path, {}), InputError);
  const Store other(directory.path, {1, 2});
}

TEST_CASE("a full disk is an error, and what was written before stays whole") {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("/dev/full", directory.path / "full.jsonl");
  JsonLines lines(directory.path / "full.jsonl");
  try {
    lines.append({{"a", 1}});
    FAIL("written to a full disk");
  } catch (const InputError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("No space left on device"));
  }
}

TEST_CASE("finished blocks are continued by the same machine and build only") {
  const TemporaryDirectory directory;
  Store store(directory.path, {});
  Store::Unfinished sofar{1, "2024-05-01T12:00:00Z", {}};
  sofar.blocks.push_back({.status = Status::kOk, .reason = "", .outcome = {}, .elapsed_s = 0.5});
  sofar.blocks[0].outcome.metrics["time"] = {1,      "ms", Better::kLower, Kind::kTiming, {},
                                             {1, 2}, {2}};
  store.append_block("a", sofar, "here");
  sofar.blocks.push_back(sofar.blocks[0]);
  store.append_block("a", sofar, "here");
  const auto found = store.read_blocks("here");
  REQUIRE(found.size() == 1);
  CHECK(found.at("a").blocks.size() == 2);
  CHECK(found.at("a").started == "2024-05-01T12:00:00Z");
  CHECK(found.at("a").blocks[1].outcome.metrics.at("time").samples == std::vector<double>{1, 2});
  CHECK(store.read_blocks("there").empty());
}

TEST_CASE("directories merge, the newer attempt wins") {
  const TemporaryDirectory a, b, out;
  Store(a.path, {}).append(record_of(1, 1, Status::kError));
  Store(b.path, {}).append(record_of(1, 2));
  Store(b.path, {}).append(record_of(2));
  std::vector<std::string> warnings;
  const json results = merge_directories({a.path, b.path}, out.path, warnings);
  CHECK(results["cells"].size() == 2);
  CHECK(results["cells"][0]["attempt"] == 2);
  CHECK(read_records(out.path).by_id.size() == 2);
  CHECK(merge_directories({b.path, a.path}, out.path, warnings) == results);
}

TEST_CASE("whoever writes results.json last has read what all others recorded") {
  const TemporaryDirectory directory;
  Store store(directory.path, {});
  store.append(record_of(1));
  // Another shard is between reading the records and renaming its results.json.
  const int other = ::open(directory.path.c_str(), O_RDONLY | O_DIRECTORY);
  REQUIRE(::flock(other, LOCK_EX) == 0);
  std::future<void> writing =
      std::async(std::launch::async, [&] { write_results(directory.path); });
  CHECK(writing.wait_for(std::chrono::milliseconds(300)) == std::future_status::timeout);
  Store(directory.path, {2, 2}).append(record_of(2));
  ::close(other);
  writing.get();
  CHECK(read_json(directory.path / "results.json")["cells"].size() == 2);
}

TEST_CASE("a record names no file outside its folder") {
  const TemporaryDirectory directory, merged;
  json record = record_of(1);
  record["environment"] = "../../elsewhere";
  directory.write("cells.jsonl", lines_of({record, record_of(2)}));
  std::vector<std::string> warnings;
  const json results = merge_directories({directory.path}, merged.path, warnings);
  CHECK(results["cells"].size() == 1);
  REQUIRE(!warnings.empty());
  CHECK(warnings.front().find("cells.jsonl:1: not a line of lavo.cell/1") != std::string::npos);
}
