// SPDX-License-Identifier: MIT
#include "reports/records/validate.h"

#include <algorithm>
#include <fstream>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/options.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

json good_cell() {
  return json::parse(
      R"({"schema": "lavo.cell/1", "id": "0123456789abcdef", "experiment": "efficiency",
    "spec_version": 1, "attempt": 1, "status": "ok", "reason": null,
    "axes": {"mechanism": "lavo", "length": 4096, "causal": true, "decay": 1.0, "max_length": null},
    "metrics": {"time": {"value": 1.5, "unit": "ms", "better": "lower", "kind": "timing", "ci95": [1.4, 1.6],
                         "samples": [1.4, 1.5, 1.6], "blocks": [1, 2]}},
    "series": {"error": {"x": "length", "unit": "1", "points": [[1, 2.5], [2, null]]}},
    "environment": "e", "seed": 0, "started": "2026-01-01T00:00:00Z", "elapsed_s": 1.25})");
}

json good_results() {
  return {{"schema", "lavo.results/1"},
          {"environments",
           {{"e",
             {{"machine",
               {{"cpu_model", "a"},
                {"cores", 2},
                {"memory_bytes", 1024},
                {"gpu_model", nullptr},
                {"gpu_memory_bytes", nullptr},
                {"driver", nullptr}}},
              {"build", json::object()},
              {"circumstance", json::object()}}}}},
          {"cells", {good_cell()}}};
}

std::string write(const TemporaryDirectory& directory, const std::string& name,
                  const std::string& text) {
  const std::string path = directory.file(name);
  std::ofstream(path) << text;
  return path;
}

/// The one line that refuses the file; "" when it is accepted.
std::string refusal(const std::string& path) {
  try {
    validate_records(path);
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("good files are accepted and counted") {
  const TemporaryDirectory directory;
  json failed = good_cell();
  failed.update({{"id", "00000000000000aa"},
                 {"status", "timeout"},
                 {"reason", "120 s"},
                 {"metrics", json::object()}});
  json results = good_results();
  results["cells"].push_back(failed);
  CHECK_THAT(validate_records(write(directory, "results.json", results.dump(1))),
             ContainsSubstring("2 cells (1 ok, 1 timeout)"));
  CHECK_THAT(validate_records(
                 write(directory, "cells.jsonl", good_cell().dump() + "\n" + failed.dump() + "\n")),
             ContainsSubstring("2 records (1 ok, 1 timeout)"));
  CHECK_THAT(validate_records(write(directory, "one.json", good_cell().dump())),
             ContainsSubstring("one record"));
}

TEST_CASE("a result file with one thing wrong is refused with its place") {
  struct Case {
    const char* pointer;  ///< in results.json
    json value;           ///< put there; discarded: the member is taken out
    const char* expected;
  };
  const json remove(json::value_t::discarded);
  const Case one = GENERATE_COPY(values<Case>({
      {"/schema", "lavo.results/2", "$.schema: got \"lavo.results/2\""},
      {"/schema", remove, "$.schema: got nothing"},
      {"/cells", 3, "$.cells: got 3, wanted an array"},
      {"/cells/0/status", "okay", "$.cells[0].status: got \"okay\", did you mean 'ok'?"},
      {"/cells/0/attempt", 1.5, "$.cells[0].attempt: got 1.5, wanted an integer"},
      {"/cells/0/attempt", 0, "$.cells[0].attempt: got 0, wanted at least 1"},
      {"/cells/0/id", "xyz", "$.cells[0].id: got \"xyz\""},
      {"/cells/0/environment", remove, "$.cells[0]: 'environment' is missing"},
      {"/cells/0/environment", "f", "$.cells[0].environment: 'f' is not in $.environments"},
      {"/cells/0/metrics/time/value", nullptr,
       "$.cells[0].metrics.time.value: got null, wanted a number"},
      {"/cells/0/metrics/time/unit", remove, "$.cells[0].metrics.time: 'unit' is missing"},
      {"/cells/0/metrics/time/ci95", {1.6, 1.4}, "$.cells[0].metrics.time.ci95: got [1.6, 1.4]"},
      {"/cells/0/metrics/time/ci95",
       {1.6},
       "$.cells[0].metrics.time.ci95: has 1 items, wanted at least 2"},
      {"/cells/0/metrics/time/blocks",
       {1, 1},
       "$.cells[0].metrics.time.blocks: sums to 2, wanted 3"},
      {"/cells/0/metrics/time/better", "less", "wanted one of lower, higher, none"},
      {"/cells/0/metrics", json::object(), "$.cells[0].metrics: is empty"},
      {"/cells/0/status", "crashed", "$.cells[0].metrics.time.value: got 1.5, wanted null"},
      {"/cells/0/axes/length", {1, 2}, "$.cells[0].axes.length: got [1,2]"},
      {"/cells/0/series/error/points/1", {1}, "$.cells[0].series.error.points[1]: has 1 items"},
      {"/cells/0/metrix", 1, "$.cells[0].metrix: unknown key 'metrix', did you mean 'metrics'?"},
      {"/environments/e/machine/cores", "two",
       "$.environments.e.machine.cores: got \"two\", wanted an integer"},
      {"/cells/1", good_cell(), "$.cells[1].id: '0123456789abcdef' is the id of $.cells[0] too"},
  }));
  CAPTURE(one.pointer, one.expected);
  const TemporaryDirectory directory;
  json results = good_results();
  const json::json_pointer pointer(one.pointer);
  if (one.value.is_discarded()) {
    results[pointer.parent_pointer()].erase(pointer.back());
  } else {
    results[pointer] = one.value;
  }
  const std::string line = refusal(write(directory, "results.json", results.dump()));
  CHECK_THAT(line, ContainsSubstring("results.json: "));
  CHECK_THAT(line, ContainsSubstring(one.expected));
  CHECK(std::ranges::count(line, '\n') == 0);
}

TEST_CASE("broken text is refused with line and column") {
  const TemporaryDirectory directory;
  const std::string good = good_cell().dump();
  json bad = good_cell();
  bad["elapsed_s"] = -1;
  CHECK_THAT(refusal(write(directory, "a.json", "{\"schema\":\n  nan}")),
             ContainsSubstring("a.json:2:3: not JSON"));
  CHECK_THAT(refusal(write(directory, "b.jsonl", good + "\n" + bad.dump() + "\n")),
             ContainsSubstring("b.jsonl:2: $.elapsed_s: got -1"));
  CHECK_THAT(refusal(write(directory, "c.jsonl", good + "\n" + good.substr(0, 40))),
             ContainsSubstring("c.jsonl:2:41: the last line is torn"));
  CHECK_THAT(refusal(write(directory, "d.jsonl", "{}}\n" + good)),
             ContainsSubstring("d.jsonl:1:3: not JSON"));
  CHECK_THAT(refusal(directory.file("none.json")), ContainsSubstring("none.json: cannot be read"));
  CHECK_THAT(refusal(directory.path.string()), ContainsSubstring("is a directory"));
  CHECK_THAT(refusal(write(directory, "e.json", "[]")), ContainsSubstring("$.schema: got nothing"));
}
