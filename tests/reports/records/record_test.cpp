// SPDX-License-Identifier: MIT
#include "reports/records/record.h"

#include <limits>

#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Identity some_cell() { return {"0123456789abcdef", "faulty", 1, {{"seed", 7}}}; }

BlockResult block_with(const std::map<std::string, Metric>& metrics) {
  BlockResult block;
  block.outcome.metrics = metrics;
  block.elapsed_s = 0.5;
  return block;
}

}  // namespace

TEST_CASE("a record has the fields of lavo.cell/1") {
  BlockResult block = block_with({{"loss", {2.5, "nat", Better::kLower, Kind::kSeeded}}});
  block.outcome.series["curve"] = {"context", "nat", {{512, 4.5}, {1024, 4.25}}};
  block.outcome.notes = {{"rows", 64}};
  const json record = make_record(some_cell(), 3, {block}, "env", "2024-05-01T12:00:00Z");
  CHECK(record["schema"] == "lavo.cell/1");
  CHECK(record["id"] == "0123456789abcdef");
  CHECK(record["experiment"] == "faulty");
  CHECK(record["spec_version"] == 1);
  CHECK(record["attempt"] == 3);
  CHECK(record["status"] == "ok");
  CHECK(record["reason"].is_null());
  CHECK(record["axes"]["seed"] == 7);
  CHECK(record["seed"] == 7);
  CHECK(record["metrics"]["loss"] ==
        json::parse(R"({"value": 2.5, "unit": "nat", "better": "lower", "kind": "seeded"})"));
  CHECK(
      record["series"]["curve"] ==
      json::parse(R"({"x": "context", "unit": "nat", "points": [[512.0, 4.5], [1024.0, 4.25]]})"));
  CHECK(record["notes"]["rows"] == 64);
  CHECK(record["environment"] == "env");
  CHECK(record["started"] == "2024-05-01T12:00:00Z");
  CHECK(record["elapsed_s"] == 0.5);
}

TEST_CASE("blocks of a timing become one list of samples with its median and interval") {
  const auto timing = [](std::vector<double> samples) {
    const auto count = static_cast<int64_t>(samples.size());
    return block_with({{"time", {99, "ms", Better::kLower, Kind::kTiming, {}, samples, {count}}}});
  };
  const json record =
      make_record(some_cell(), 1, {timing({1, 2}), timing({3}), timing({4, 5})}, "env", "now");
  const json& time = record["metrics"]["time"];
  CHECK(time["samples"] == json({1.0, 2.0, 3.0, 4.0, 5.0}));
  CHECK(time["blocks"] == json({2, 1, 2}));
  CHECK(time["value"] == 3.0);
  CHECK(time["ci95"][0].get<double>() >= 1.0);
  CHECK(time["ci95"][1].get<double>() <= 5.0);
  CHECK(time["ci95"][0].get<double>() < time["ci95"][1].get<double>());
  CHECK(record["elapsed_s"] == 1.5);
}

TEST_CASE("of other kinds the worst block counts, of a seeded one the first") {
  const auto block = [](double x) {
    return block_with({{"bytes", {x, "B", Better::kLower, Kind::kExact}},
                       {"share", {x, "1", Better::kHigher, Kind::kExact}},
                       {"error", {x, "1", Better::kLower, Kind::kBound}},
                       {"loss", {x, "nat", Better::kLower, Kind::kSeeded}}});
  };
  const json record = make_record(some_cell(), 1, {block(2), block(3), block(1)}, "env", "now");
  CHECK(record["metrics"]["bytes"]["value"] == 3.0);
  CHECK(record["metrics"]["share"]["value"] == 1.0);
  CHECK(record["metrics"]["error"]["value"] == 3.0);
  CHECK(record["metrics"]["loss"]["value"] == 2.0);
}

TEST_CASE("a metric that only some blocks have is kept") {
  const json record =
      make_record(some_cell(), 1,
                  {block_with({{"error", {0.5, "1", Better::kLower, Kind::kBound}}}),
                   block_with({{"bytes", {1, "B", Better::kLower, Kind::kExact}}})},
                  "env", "now");
  CHECK(record["metrics"]["error"]["value"] == 0.5);
  CHECK(record["metrics"]["bytes"]["value"] == 1.0);
}

TEST_CASE("a cell that failed has a reason and no numbers") {
  BlockResult bad;
  bad.status = Status::kTimeout;
  bad.reason = "took longer than 1 s";
  const json record = make_record(
      some_cell(), 1, {block_with({{"bytes", {1, "B", Better::kLower, Kind::kExact}}}), bad}, "env",
      "now");
  CHECK(record["status"] == "timeout");
  CHECK(record["reason"] == "took longer than 1 s");
  CHECK(record["metrics"].empty());
}

TEST_CASE("a block survives the pipe and the disk bit by bit") {
  BlockResult block = block_with(
      {{"time",
        {1.0 / 3, "ms", Better::kLower, Kind::kTiming, std::pair(0.1, 1e-300), {0.1, 0.2}, {2}}}});
  block.outcome.series["s"] = {"x", "1", {{1, 2.0 / 3}}};
  block.outcome.notes = {{"a", {1, 2}}};
  const json there = to_json(block);
  const json back = to_json(block_from_json(json::parse(there.dump())));
  CHECK(back == there);
  CHECK(back["metrics"]["time"]["value"].get<double>() == 1.0 / 3);
  for (const char* bad : {"{}", "{\"status\": 3}", "[]", "{\"status\":\"ok\",\"reason\":\"\"}"}) {
    CHECK_THROWS_AS(block_from_json(json::parse(bad)), InputError);
  }
}

TEST_CASE("what is not finite is found wherever it hides") {
  const auto found = [](const Metric& metric) {
    return find_not_finite({.metrics = {{"m", metric}}, .series = {}});
  };
  CHECK(found({1, "1", Better::kLower, Kind::kExact}) == "");
  CHECK(found({kNan, "1", Better::kLower, Kind::kExact}) == "metric 'm' is not finite");
  CHECK(found({kInfinity, "1", Better::kLower, Kind::kExact}) != "");
  CHECK(found({1, "1", Better::kLower, Kind::kTiming, {}, {1, kNan}}) != "");
  CHECK(found({1, "1", Better::kLower, Kind::kTiming, std::pair(1.0, kInfinity)}) != "");
  CHECK(find_not_finite({.metrics = {}, .series = {{"s", {"x", "1", {{8, kNan}}}}}}) ==
        "series 's' is not finite at x 8");
}
