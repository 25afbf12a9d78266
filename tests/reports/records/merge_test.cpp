// SPDX-License-Identifier: MIT
#include "reports/records/merge.h"

#include <fstream>

#include "reports/records/run_directory.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/results_fixture.h"

using namespace lavo;

namespace {

json record_of(const std::string& status, int attempt, const std::string& started = "2026-01-01") {
  json record = test::cell_record("lavo", 64);
  record["metrics"]["bytes"] = test::plain_metric(1, "B", "exact");
  if (status != "ok") record = test::failed(record, status, "a reason");
  record["attempt"] = attempt;
  record["started"] = started;
  return record;
}

/// Which of the records counts, added in this order, and what is said.
std::pair<json, std::string> kept(const std::vector<json>& records) {
  Merger merger;
  for (const json& record : records) merger.add(record);
  REQUIRE(merger.records().size() == 1);
  return {merger.records().begin()->second, merger.dropped()};
}

std::string lines_of(const std::vector<json>& records) {
  std::string text;
  for (const json& record : records) text += record.dump() + "\n";
  return text;
}

}  // namespace

TEST_CASE("an ok result is kept over a later one that is not, in any order, and that is said") {
  const json ok = record_of("ok", 1), crashed = record_of("crashed", 2);
  for (const auto& records : {std::vector{ok, crashed}, std::vector{crashed, ok}}) {
    const auto [record, dropped] = kept(records);
    CHECK(record == ok);
    CHECK_THAT(dropped, ContainsSubstring("1 result that is not ok dropped"));
    CHECK_THAT(dropped, ContainsSubstring("crashed"));
  }
  const json again = record_of("ok", 3);
  CHECK(kept({ok, crashed, again}) == std::pair(again, std::string()));
  CHECK(kept({again, ok, crashed}) == std::pair(again, std::string()));
  CHECK(kept({record_of("error", 1, "2025"), ok}) == std::pair(ok, std::string()));
}

TEST_CASE("of equals the later attempt counts, then the later start") {
  CHECK(kept({record_of("ok", 2), record_of("ok", 1)}).first["attempt"] == 2);
  CHECK(kept({record_of("error", 1), record_of("timeout", 2)}).first["status"] == "timeout");
  const json early = record_of("ok", 1, "2026-01-01"), late = record_of("ok", 1, "2026-01-02");
  CHECK(kept({late, early}).first == late);
  CHECK(kept({early, late}).first == late);
}

TEST_CASE("of results of one attempt and one time the ok one counts, in any order; that is said") {
  const json ok = record_of("ok", 1), crashed = record_of("crashed", 1);
  CHECK(kept({ok, crashed}) == kept({crashed, ok}));
  CHECK(kept({ok, crashed}).first == ok);
  CHECK_THAT(kept({ok, crashed}).second, ContainsSubstring("crashed"));
}

TEST_CASE("a repetition counts on from every attempt, those that were dropped too") {
  const TemporaryDirectory directory;
  directory.write("cells.jsonl", lines_of({record_of("ok", 1), record_of("crashed", 2)}));
  const Records records = read_records(directory.path);
  CHECK(records.by_id.begin()->second["status"] == "ok");
  CHECK(records.attempts.begin()->second == 2);
  CHECK(records.warnings.size() == 1);
}

TEST_CASE("merge and report keep the same record, and say what was dropped") {
  const TemporaryDirectory a, b, out;
  const std::string environment = test::results_document({})["environments"]["e"].dump();
  for (const auto& [directory, record] :
       {std::pair(&a, record_of("ok", 1)), std::pair(&b, record_of("skipped", 2))}) {
    std::filesystem::create_directories(directory->path / "environments");
    directory->write("cells.jsonl", lines_of({record}));
    directory->write("environments/e.json", environment);
    CHECK(run_program({"merge", directory->path.string()}).code == 0);
  }
  const Finished merged = run_program({"merge", a.path, b.path, "-o", out.path});
  CHECK(merged.code == 0);
  CHECK_THAT(merged.err, ContainsSubstring("result that is not ok dropped"));
  const Finished reported =
      run_program({"report", a.path, b.path, "--tables-only", "-o", out.file("report")});
  CHECK(reported.code == 0);
  std::ifstream page(out.file("report/index.html"));
  const std::string text(std::istreambuf_iterator<char>(page), {});
  CHECK_THAT(text, ContainsSubstring("result that is not ok dropped"));
  for (const char* command : {"merge", "run"}) {
    CHECK_THAT(run_program({command, "--help"}).out, ContainsSubstring("an ok one over a later"));
  }
}

TEST_CASE("machines or builds that differ are named, once") {
  const TemporaryDirectory a, b, out;
  json one = test::results_document({})["environments"]["e"], two = one;
  two["machine"]["cpu_model"] = "Other CPU";
  json second = record_of("ok", 1);
  second["id"] = "00000000000000ff";
  second["environment"] = "f";
  for (const TemporaryDirectory* each : {&a, &b}) {
    std::filesystem::create_directories(each->path / "environments");
  }
  a.write("cells.jsonl", lines_of({record_of("ok", 1)}));
  a.write("environments/e.json", one.dump());
  b.write("cells.jsonl", lines_of({second}));
  b.write("environments/f.json", two.dump());
  std::vector<std::string> warnings;
  merge_directories({a.path, b.path}, out.path, warnings);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], ContainsSubstring("cpu_model Example CPU and Other CPU"));
  two["machine"] = one["machine"];
  two["circumstance"]["load"] = 7;
  b.write("environments/f.json", two.dump());
  warnings.clear();
  merge_directories({a.path, b.path}, out.path, warnings);
  CHECK(warnings.empty());
}
