// SPDX-License-Identifier: MIT
#include "reports/targets/targets.h"

#include "experiments/harness/sweep/plan.h"
#include "lavo/core/files.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/results_fixture.h"

using namespace lavo;
using namespace lavo::report;
using Verdict = Judgement::Verdict;

namespace {

json timed(const std::string& mechanism, int length, const std::vector<std::vector<double>>& ms) {
  json record = test::cell_record(mechanism, length);
  record["metrics"]["time"] = test::timing_metric(ms);
  return record;
}

Results load(const std::vector<json>& cells) {
  const TemporaryDirectory directory;
  directory.write("results.json", test::results_document(cells).dump());
  return load_results({directory.path});
}

/// Time of vanilla over that of lavo at 4096 tokens.
Target speed_up(double limit) {
  return {.what = "lavo: T over its time",
          .metric = "time",
          .above = {{"mechanism", "vanilla"}, {"length", 4096}},
          .below = {{"mechanism", "lavo"}, {"length", 4096}},
          .at_least = true,
          .limit = limit};
}

/// T = 40 ms without noise, lavo 2 ms with blocks of 1.6, 2 and 2.5 ms: the quotient is 20, and its
/// interval [16, 25].
Results noisy() {
  return load({timed("vanilla", 4096, {{40}, {40}, {40}}),
               timed("lavo", 4096, {{1.6, 1.6}, {2, 2}, {2.5, 2.5}})});
}

}  // namespace

TEST_CASE("a quotient is judged by its value, and noise is said") {
  const Results results = noisy();
  const auto [limit, verdict, within_noise] = GENERATE(table<double, Verdict, bool>({
      {15.9, Verdict::kReached, false},
      {16.1, Verdict::kReached, true},
      {20, Verdict::kReached, true},
      {20.1, Verdict::kMissed, true},
      {24.9, Verdict::kMissed, true},
      {25.1, Verdict::kMissed, false},
  }));
  CAPTURE(limit);
  const Judgement judgement = judge(speed_up(limit), results);
  CHECK(judgement.verdict == verdict);
  CHECK(judgement.within_noise() == within_noise);
  REQUIRE(judgement.ratio);
  CHECK(judgement.ratio->value == Approx(20));
  REQUIRE(judgement.ratio->interval);
  CHECK(judgement.ratio->interval->first == Approx(16));
  CHECK(judgement.ratio->interval->second == Approx(25));
}

TEST_CASE("an upper bound turns the verdict round, and the scale is of value and interval") {
  Target share = speed_up(0);
  std::swap(share.above, share.below);
  share.at_least = false;
  share.scale = 10;
  share.limit = 0.51;
  const Judgement reached = judge(share, noisy());
  CHECK(reached.verdict == Verdict::kReached);
  CHECK(reached.ratio->value == Approx(0.5));
  CHECK(reached.ratio->interval->first == Approx(0.4));
  CHECK(reached.ratio->interval->second == Approx(0.625));
  share.limit = 0.49;
  CHECK(judge(share, noisy()).verdict == Verdict::kMissed);
}

TEST_CASE("memory is held against what the call returns") {
  json record = test::cell_record("lavo", 4096);
  constexpr double kOutput = 4.0 * 4096 * 64 * 4, kMiB = 1 << 20;  // heads, tokens, width, bytes
  Target target{.what = "lavo: peak memory",
                .metric = "peak_memory",
                .above = {{"mechanism", "lavo"}},
                .allowance = Allowance{.extra_bytes = kMiB}};
  record["metrics"]["peak_memory"] = test::plain_metric(kOutput + kMiB, "B", "exact");
  CHECK(judge(target, load({record})).verdict == Verdict::kReached);
  record["metrics"]["peak_memory"] = test::plain_metric(kOutput + kMiB + 4, "B", "exact");
  CHECK(judge(target, load({record})).verdict == Verdict::kMissed);
  CHECK(!judge(target, load({record})).within_noise());

  target.allowance = Allowance{.tensors = 4, .factor = 1.05};
  record["axes"]["dtype"] = "bfloat16";
  record["metrics"]["peak_memory"] = test::plain_metric(2 * 1.05 * kOutput, "B", "exact");
  CHECK(judge(target, load({record})).ratio->value == Approx(1));
}

TEST_CASE("what was not measured says why") {
  const json vanilla = timed("vanilla", 4096, {{40}, {40}, {40}});
  const json lavo = timed("lavo", 4096, {{2}, {2}, {2}});
  const auto reason = [](const std::vector<json>& cells) {
    const Judgement judgement = judge(speed_up(15), load(cells));
    CHECK(judgement.verdict == Verdict::kNotMeasured);
    CHECK(!judgement.ratio);
    return judgement.reason;
  };
  CHECK(reason({lavo}) == "no cell mechanism=vanilla length=4096");
  CHECK(reason({vanilla, test::failed(lavo, "skipped", "too large")}) == "skipped: too large");
  json untimed = test::cell_record("lavo", 4096);
  untimed["metrics"]["peak_memory"] = test::plain_metric(1, "B", "exact");
  CHECK(reason({vanilla, untimed}) == "mechanism=lavo length=4096 has no time");
  json other = lavo;
  other["id"] = "0123456789abcdef";
  other["axes"]["window"] = 8;
  CHECK(reason({vanilla, lavo, other}) == "2 cells are mechanism=lavo length=4096, wanted one");

  Results results = load({vanilla, lavo});
  results.environments["f"] = results.environments["e"];
  results.environments["f"]["machine"]["cpu_model"] = "another";
  results.cells.front().environment = "f";
  CHECK(judge(speed_up(15), results).reason == "the two cells are of different machines or builds");
}

TEST_CASE("each target finds its cells in experiments/targets.toml") {
  Selection selection;
  selection.sweeps = {source_file("experiments/targets.toml")};
  const Plan plan = make_plan(selection);
  Results results;
  results.environments["e"]["machine"] = json::object();
  for (const lavo::Cell& planned : plan.cells) {
    report::Cell cell;
    cell.experiment = "efficiency";
    cell.status = Status::kOk;
    cell.environment = "e";
    cell.axes = planned.axes;
    for (const char* metric : {"time", "peak_memory", "state_bytes"}) {
      cell.metrics[metric].value = 1;
      cell.metrics[metric].unit = std::string(metric) == "time" ? "ms" : "B";
    }
    results.cells.push_back(cell);
  }
  const std::vector<Target> targets = cpu_targets();
  CHECK(targets.size() > 40);
  for (const Target& target : targets) {
    const Judgement judgement = judge(target, results);
    CAPTURE(target.what, judgement.reason);
    CHECK((judgement.ratio || judgement.reason == target.otherwise));
  }
}

TEST_CASE("the command judges a directory and exits with 0 whatever it finds") {
  const TemporaryDirectory directory;
  json lavo = timed("lavo", 4096, {{20}, {20}, {20}}),
       vanilla = timed("vanilla", 4096, {{40}, {40}, {40}});
  lavo["axes"]["memory"] = "shared";
  lavo["axes"]["implementation"] = "fused";
  directory.write("results.json", test::results_document({lavo, vanilla}).dump());
  const std::string file = directory.file("targets.json");
  const Finished finished = run_program({"targets", directory.path, "--json", file});
  CHECK(finished.code == 0);
  CHECK_THAT(finished.out, ContainsSubstring("machine: Example CPU, 2 cores, 8 GiB"));
  CHECK_THAT(finished.out, ContainsSubstring("0 reached, 1 missed"));
  const json document = json::parse(read_text(file));
  CHECK(document["schema"] == "lavo.targets/1");
  std::map<std::string, int> verdicts;
  for (const json& row : document["targets"]) {
    ++verdicts[row["verdict"]];
    CHECK(row["ratio"].is_null() == (row["verdict"] == "not measured"));
    CHECK(row["reason"].is_string() == (row["verdict"] == "not measured"));
    if (row["verdict"] == "missed") {
      CHECK(row["ratio"] == 2);
      CHECK(row["ci95"] == json({2, 2}));
      CHECK(row["limit"] == 15);
    }
  }
  CHECK(verdicts["missed"] == 1);
  CHECK(verdicts["not measured"] == static_cast<int>(document["targets"].size()) - 1);
  CHECK(is_one_line_refusal(run_program({"targets", directory.file("nothing")})));
}
