// SPDX-License-Identifier: MIT
// What each consumer's own reader demands, written from its source, not from our writer.
#include "reports/formats/export.h"

#include <map>
#include <set>

#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/results_fixture.h"

using namespace lavo;
using namespace lavo::test;

namespace {

/// A sweep with a failed cell, a cell without a time, an awkward name and a metric to raise.
json example() {
  json document = simulated_sweep(1, {}, 1, 3, 4, 2);
  json& cells = document["cells"];
  cells[0] = failed(cells[0], "out_of_memory", "needs \"9 GiB\", has 8\nand more");
  cells[1]["axes"]["note"] = "a/b, c";
  cells[2]["axes"]["unit"] = "an axis";
  json quality = cell_record("lavo", 4096);
  quality["experiment"] = "recall";
  quality["metrics"]["accuracy"] = plain_metric(0.75, "1", "seeded", "higher");
  quality["metrics"]["parameters"] = plain_metric(1000, "1", "exact", "none");
  cells.push_back(quality);
  return document;
}

std::map<std::string, std::string> files_of(const json& document, const std::string& format) {
  std::map<std::string, std::string> files;
  for (const ExportedFile& file :
       export_results(compare::parse_results(document, "r.json"), format).files)
    files[file.name] = file.content;
  return files;
}

bool is_positive(const json& value) { return value.is_number() && value.get<double>() > 0; }

/// RFC 4180.
std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows(1, {""});
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      rows.back().back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && c == ',') {
      rows.back().emplace_back();
    } else if (!quoted && c == '\n') {
      rows.push_back({""});
    } else {
      rows.back().back() += c;
    }
  }
  rows.pop_back();
  return rows;
}

}  // namespace

// tools/gbench/util.py and report.py of google/benchmark: groups rows by name, takes the unit of
// the first, zips repetitions, computes a geometric mean over real_time (0 or an error row spoils
// it).
TEST_CASE("google-benchmark.json is what compare.py reads") {
  const json file =
      json::parse(files_of(example(), "google-benchmark").at("google-benchmark.json"));
  CHECK(file["context"]["json_schema_version"] == 1);
  std::map<std::string, std::vector<json>> by_name;
  for (const json& row : file["benchmarks"]) {
    CHECK(row["run_type"] == "iteration");
    CHECK_FALSE(row.contains("error_occurred"));
    CHECK_FALSE(row.contains("aggregate_name"));
    CHECK(is_positive(row["real_time"]));
    CHECK(is_positive(row["cpu_time"]));
    CHECK(row["time_unit"] == "ns");
    by_name[row["name"].get<std::string>()].push_back(row);
  }
  CHECK(by_name.size() == 7);  // of 9 cells one failed and one has no time
  for (const auto& [name, rows] : by_name) {
    CHECK(rows.size() == 12);
    for (size_t i = 0; i < rows.size(); ++i) {
      CHECK(rows[i]["repetition_index"] == i);
      CHECK(rows[i]["repetitions"] == 12);
      CHECK(rows[i]["run_name"] == name);
    }
  }
  const json first = example()["cells"][1];
  const std::string name = file["benchmarks"][0]["name"];
  CHECK(
      by_name.contains("efficiency/mechanism:vanilla/length:512/pass:forward/batch:1/causal:true/"
                       "cross:false/device:cpu/dtype:float32/head_dim:64/heads:4/"
                       "implementation:composed/note:a%2Fb,%20c/seed:0/threads:2"));
  for (const auto& [key, rows] : by_name) {
    if (key.find("note:") == std::string::npos) continue;
    CHECK(rows[0]["real_time"].get<double>() ==
          Approx(first["metrics"]["time"]["samples"][0].get<double>() * 1e6));  // ms
    CHECK(rows[0]["peak_memory"] == first["metrics"]["peak_memory"]["value"]);
    CHECK(rows[0]["threads"] == 2);
  }
}

// Bencher's cpp_google adapter: context.caches must be a list; every row needs name, real_time,
// time_unit; of equal names the last wins. github-action-benchmark takes every row.
TEST_CASE("google-benchmark-ci.json has one row a cell") {
  const json file =
      json::parse(files_of(example(), "google-benchmark").at("google-benchmark-ci.json"));
  CHECK(file["context"]["caches"].is_array());
  std::set<std::string> names;
  for (const json& row : file["benchmarks"]) {
    CHECK(names.insert(row["name"]).second);
    CHECK(is_positive(row["real_time"]));
    CHECK(row["time_unit"] == "ns");
    for (const char* field : {"iterations", "cpu_time", "threads"}) CHECK(row[field].is_number());
  }
  CHECK(names.size() == 7);
}

// src/extract.ts of benchmark-action/github-action-benchmark: a list of {name, value, unit, range?,
// extra?}; an empty list is an error; the history finds a benchmark by its name.
TEST_CASE("github-action: one list for each direction") {
  const auto files = files_of(example(), "github-action");
  REQUIRE(files.size() == 2);
  const json smaller = json::parse(files.at("github-action-smaller.json"));
  const json bigger = json::parse(files.at("github-action-bigger.json"));
  CHECK(smaller.size() == 14);  // time and peak_memory of seven cells
  CHECK(bigger.size() == 1);
  CHECK(bigger[0]["value"] == 0.75);
  std::set<std::string> names;
  for (const json& entry : smaller) {
    CHECK(names.insert(entry["name"]).second);
    CHECK(entry["value"].is_number());
    CHECK(entry["unit"].is_string());
    for (const auto& [key, value] : entry.items()) {
      CHECK((key == "name" || key == "value" || key == "unit" || key == "range" || key == "extra"));
      if (key != "value") CHECK(value.is_string());
    }
  }
  json one = example();
  one["cells"].erase(8);
  CHECK(files_of(one, "github-action").size() == 1);
}

// Bencher's json adapter (BMF v0): {benchmark: {measure: {value, lower_value?, upper_value?}}},
// names of at most 1024 characters.
TEST_CASE("bencher.json is Bencher Metric Format") {
  const json file = json::parse(files_of(example(), "bencher").at("bencher.json"));
  CHECK(file.size() == 8);
  for (const auto& [name, measures] : file.items()) {
    CHECK(name.size() <= 1024);
    CHECK(measures.size() == 2);
    for (const auto& [measure, metric] : measures.items()) {
      CHECK(metric["value"].is_number());
      if (measure == "time") {
        CHECK(metric.size() == 3);
        CHECK(metric["lower_value"].get<double>() <= metric["value"].get<double>());
        CHECK(metric["upper_value"].get<double>() >= metric["value"].get<double>());
      } else {
        CHECK(metric.size() == 1);
      }
    }
  }
}

TEST_CASE("cells.csv has a row for each cell and metric, failures too") {
  const auto rows = parse_csv(files_of(example(), "csv").at("cells.csv"));
  const auto& header = rows.front();
  const auto column = [&](const std::string& name) {
    const auto found = std::ranges::find(header, name);
    REQUIRE(found != header.end());
    return static_cast<size_t>(found - header.begin());
  };
  CHECK(rows.size() == 1 + 7 * 2 + 2 + 1);
  size_t failures = 0;
  for (const auto& row : rows) {
    CHECK(row.size() == header.size());
    if (row[column("status")] != "out_of_memory") continue;
    ++failures;
    CHECK(row[column("reason")] == "needs \"9 GiB\", has 8\nand more");
    CHECK(row[column("value")].empty());
  }
  CHECK(failures == 1);
  const auto awkward =
      std::ranges::find_if(rows, [&](const auto& row) { return row[column("note")] == "a/b, c"; });
  REQUIRE(awkward != rows.end());
  CHECK((*awkward)[column("mechanism")] == "vanilla");
  CHECK((*awkward)[column("unit")] == "B");
  CHECK(std::ranges::count(header, "unit") == 1);
  CHECK(std::ranges::count(header, "axis_unit") == 1);
}

TEST_CASE("text that a spreadsheet would run gets an apostrophe, numbers stay") {
  const std::vector<std::string> live = {"=1+1", "+1",   "-1+1", "@SUM(1)", "=HYPERLINK(\"x\")",
                                         "\t=1", "\r=1", "\n=1", "'quoted", "\uff1d1"};
  std::vector<json> cells;
  for (const std::string& text : live) {
    json cell = cell_record("lavo", 64 + static_cast<int>(cells.size()));
    cell["axes"]["note"] = text;
    cell["axes"]["shift"] = -0.5;
    cell["metrics"]["gain"] = plain_metric(-2, "1", "exact");
    cells.push_back(cell);
  }
  const auto rows = parse_csv(files_of(results_document(cells), "csv").at("cells.csv"));
  const auto column = [&](const std::string& name) {
    return static_cast<size_t>(std::ranges::find(rows[0], name) - rows[0].begin());
  };
  for (const std::string& text : live) {
    const auto row = std::ranges::find_if(rows, [&](const auto& each) {
      return each[column("note")] == "'" + text;  // one apostrophe taken off, it reads the same
    });
    CAPTURE(text);
    REQUIRE(row != rows.end());
    CHECK((*row)[column("shift")] == "-0.5");
    CHECK((*row)[column("value")] == "-2");
  }
}

TEST_CASE("two cells of one name keep apart; nothing to write is an error") {
  json document = example();
  json twin = document["cells"][2];
  twin["id"] = "00000000000000ff";
  document["cells"].push_back(twin);
  const json file = json::parse(files_of(document, "bencher").at("bencher.json"));
  CHECK(file.size() == 9);
  json only_failure = results_document({example()["cells"][0]});
  CHECK_THROWS_WITH(files_of(only_failure, "bencher"), ContainsSubstring("no cell has a value"));
  CHECK_THROWS_WITH(files_of(document, "benchr"), ContainsSubstring("did you mean 'bencher'?"));
}
