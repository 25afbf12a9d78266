// SPDX-License-Identifier: MIT
// Runs in this process: what is recorded, resumed, skipped and retried.
#include <signal.h>

#include <random>
#include <set>

#include "experiments/harness/run/runner.h"
#include "experiments/harness/store.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/run_directory.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_experiment.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

struct Setup {
  TemporaryDirectory directory;
  std::string sweep = "experiment = \"faulty\"\n";
  std::vector<std::string> axes, sets = {"limits.blocks=1"};
  RunOptions options = {};

  explicit Setup(std::vector<std::string> given = {}) : axes(std::move(given)) {
    options.directory = directory.path / "run";
    options.isolation = Isolation::kNone;
    options.quiet = true;
  }
  RunSummary run() {
    Selection selection;
    selection.sweeps = {directory.write("sweep.toml", sweep)};
    selection.axes = axes;
    selection.sets = sets;
    return run_plan(make_plan(selection), json::object(), options);
  }
  std::map<std::string, json> records() const { return read_records(options.directory).by_id; }
  std::map<std::string, json> records_or_none() const {
    if (!std::filesystem::exists(options.directory)) return {};
    return records();
  }
  json results() const { return read_json(options.directory / "results.json"); }
};

using Counts = std::map<std::string, int>;

/// Counts the blocks run in this process while it lives.
struct RunCounter {
  int count = 0;
  RunCounter() {
    faulty_hook() = [this](const Case&) { ++count; };
  }
  ~RunCounter() { faulty_hook() = nullptr; }
};

/// What must not depend on how and when the cells were run.
std::map<std::string, json> lasting(const std::map<std::string, json>& records) {
  std::map<std::string, json> kept;
  for (const auto& [id, record] : records) {
    kept[id] = {record["status"], record["axes"], record["metrics"].value("score", json())};
  }
  return kept;
}

}  // namespace

TEST_CASE("every planned cell gets a record, and a second run finds nothing to do") {
  Setup setup({"length=1,2,4", "seed=0,1", "behaviour=ok,wrong,refused"});
  CHECK(setup.run().statuses == Counts{{"ok", 6}, {"wrong", 6}, {"skipped", 6}});
  const std::string before = read_text(setup.options.directory / "cells.jsonl");
  const RunCounter counter;
  CHECK(setup.run().statuses == Counts{{"ok", 6}, {"wrong", 6}, {"skipped", 6}});
  CHECK(counter.count == 0);
  CHECK(read_text(setup.options.directory / "cells.jsonl") == before);
  CHECK(setup.results()["cells"].size() == 18);
}

TEST_CASE("a new axis value runs the new cells only") {
  Setup setup({"length=1,2"});
  setup.run();
  setup.axes = {"length=1,2,3"};
  const RunCounter counter;
  CHECK(setup.run().statuses == Counts{{"ok", 3}});
  CHECK(counter.count == 1);
}

TEST_CASE("timed cells run in interleaved blocks, in an order that is shuffled and repeatable") {
  Setup setup({"length=1,2,4,8", "seed=0,1,2"});
  setup.sets = {"limits.blocks=3"};
  std::vector<std::pair<int, std::string>> order;
  faulty_hook() = [&](const Case& cell) { order.emplace_back(cell.block, cell.axes.dump()); };
  setup.run();
  REQUIRE(order.size() == 36);
  for (size_t i = 0; i < order.size(); ++i) CHECK(order[i].first == static_cast<int>(i / 12));
  const auto round = [&](size_t r) {
    std::vector<std::string> cells;
    for (size_t i = 12 * r; i < 12 * (r + 1); ++i) cells.push_back(order[i].second);
    return cells;
  };
  CHECK(round(0) != round(1));
  auto sorted = round(0);
  std::ranges::sort(sorted);
  CHECK(round(0) != sorted);
  const auto first = order;
  order.clear();
  setup.options.fresh = true;
  setup.run();
  faulty_hook() = nullptr;
  CHECK(order == first);
  const json time = setup.results()["cells"][0]["metrics"]["time"];
  CHECK(time["samples"] == json({1.0, 2.0, 2.0, 3.0, 3.0, 4.0}));
  CHECK(time["blocks"] == json({2, 2, 2}));
  CHECK(time["value"] == 2.5);
}

TEST_CASE("finished blocks are kept when a run is interrupted") {
  Setup setup({"length=1,2,4,8,16"});
  setup.sets = {"limits.blocks=3"};
  int ran = 0;
  faulty_hook() = [&](const Case&) {
    if (++ran == 7) ::raise(SIGINT);
  };
  CHECK(setup.run().signal == SIGINT);
  CHECK(setup.records().empty());
  CHECK(std::filesystem::exists(setup.options.directory / "results.json"));
  const RunCounter counter;
  CHECK(setup.run().statuses == Counts{{"ok", 5}});
  CHECK(counter.count == 15 - 7);
  CHECK_FALSE(std::filesystem::exists(setup.options.directory / "blocks.jsonl"));
}

TEST_CASE("any division into shards with any interruptions gives the same results") {
  const std::vector<std::string> axes = {"length=1,2,4,8", "seed=0,1,2", "behaviour=ok,wrong,nan"};
  Setup whole(axes);
  whole.run();
  const auto expected = lasting(whole.records());
  REQUIRE(expected.size() == 36);
  std::mt19937 random(1);
  for (int trial = 0; trial < 30; ++trial) {
    Setup setup(axes);
    setup.sets = {random() % 2 ? "limits.blocks=1" : "limits.blocks=3"};
    for (int attempt = 0; lasting(setup.records_or_none()) != expected; ++attempt) {
      REQUIRE(attempt < 1000);
      const auto count = static_cast<int64_t>(random() % 5 + 1);
      setup.options.shard = {static_cast<int64_t>(random()) % count + 1, count};
      int left = static_cast<int>(random() % 20);
      faulty_hook() = [&](const Case&) {
        if (left-- == 0) ::raise(SIGTERM);
      };
      setup.run();
    }
    faulty_hook() = nullptr;
    std::map<std::string, json> merged;
    const json results = setup.results();
    for (const json& record : results["cells"]) merged[record["id"]] = record;
    CHECK(lasting(merged) == expected);
  }
}

TEST_CASE("longer lengths of a row that ran out of memory are skipped with the reason") {
  Setup setup({"length=4,1,2", "behaviour=ok,out_of_memory"});
  CHECK(setup.run().statuses == Counts{{"ok", 3}, {"out_of_memory", 1}, {"skipped", 2}});
  for (const auto& [id, record] : setup.records()) {
    if (record["status"] != "skipped") continue;
    CHECK(record["reason"] == "ran out of memory at length 1");
  }
  SECTION("also when the run is resumed") {
    const RunCounter counter;
    setup.run();
    CHECK(counter.count == 0);
  }
  SECTION("but not with --no-prune") {
    setup.options.prune = false;
    CHECK(setup.run().statuses == Counts{{"ok", 3}, {"out_of_memory", 3}});
  }
}

TEST_CASE("what is predicted to be too large or too slow is skipped with the reason") {
  Setup setup({"memory=0,1152921504606846976", "seconds=0,0.2"});
  setup.sets.push_back("limits.call_seconds=0.1");
  CHECK(setup.run().statuses == Counts{{"ok", 1}, {"skipped", 3}});
  std::set<std::string> reasons;
  for (const auto& [id, record] : setup.records()) {
    if (record["status"] == "skipped") reasons.insert(record["reason"].get<std::string>());
  }
  REQUIRE(reasons.size() == 2);
  CHECK(reasons.begin()->starts_with("one call is predicted to take 0.2 s, call_seconds is 0.1"));
  CHECK(reasons.rbegin()->starts_with("predicted to need 1073741824.00 GiB, "));
  setup.sets = {"limits.blocks=1"};  // a skip is decided anew
  CHECK(setup.run().statuses == Counts{{"ok", 2}, {"skipped", 2}});
}

TEST_CASE("retry runs again what ended so, and attempts are counted") {
  Setup setup({"behaviour=ok,wrong,throw"});
  setup.run();
  const auto attempts = [&] {
    std::multiset<int> found;
    for (const auto& [id, record] : setup.records()) found.insert(record["attempt"].get<int>());
    return found;
  };
  setup.options.retry = "crashed";
  setup.run();
  CHECK(attempts() == std::multiset{1, 1, 1});
  setup.options.retry = "failed";
  setup.run();
  CHECK(attempts() == std::multiset{1, 2, 2});
  setup.options.retry = "all";
  setup.run();
  CHECK(attempts() == std::multiset{2, 3, 3});
  const std::string lines = read_text(setup.options.directory / "cells.jsonl");
  CHECK(std::ranges::count(lines, '\n') == 8);  // earlier attempts are kept
}

TEST_CASE("fresh sets aside what was there") {
  Setup setup({"length=1,2"});
  setup.run();
  setup.options.fresh = true;
  setup.axes = {"length=2"};
  CHECK(setup.run().statuses == Counts{{"ok", 1}});
  CHECK(setup.records().size() == 1);
  int before = 0;
  for (const auto& entry : std::filesystem::directory_iterator(setup.options.directory)) {
    if (!entry.path().filename().string().starts_with("before-")) continue;
    ++before;
    CHECK(read_records(entry.path()).by_id.size() == 2);
  }
  CHECK(before == 1);
}

TEST_CASE("results refer to an environment with its three objects") {
  Setup setup({"length=1"});
  setup.run();
  const json results = setup.results();
  const json& record = results["cells"][0];
  const json& environment = results["environments"][record["environment"].get<std::string>()];
  for (const char* key :
       {"cpu_model", "cores", "memory_bytes", "gpu_model", "gpu_memory_bytes", "driver"}) {
    CHECK(environment["machine"].contains(key));
  }
  CHECK(environment["build"]["commit"].is_string());
  CHECK(environment["build"]["dirty"].is_boolean());
  CHECK(environment["circumstance"]["load"].size() == 3);
}

TEST_CASE("a directory that cannot be written is refused") {
  Setup setup;
  setup.options.directory = "/proc/nothing";
  CHECK_THROWS_AS(setup.run(), InputError);
  setup.options.directory = setup.directory.write("file", "");
  CHECK_THROWS_AS(setup.run(), InputError);
}
