// SPDX-License-Identifier: MIT
#include "reports/records/results.h"

#include "reports/records/check_results.h"
#include "tests/support/catch.h"
#include "tests/support/results_fixture.h"

using namespace lavo;

TEST_CASE("a cell has the facts of its mechanism, and none where the file does not say") {
  json document =
      test::results_document({test::cell_record("lavo", 64), test::cell_record("vanilla", 64)});
  for (json& cell : document["cells"]) {
    cell["metrics"]["bytes"] = test::plain_metric(1, "B", "exact");
  }
  CHECK_FALSE(results_from_json(document, "r").cells[0].facts);
  const json about = {{"title", "a title"}, {"options", {{"window", 16}, {"mix", nullptr}}}};
  document["mechanisms"]["lavo"] = about;
  check_results(document, "r");
  const ResultsFile results = results_from_json(document, "r");
  REQUIRE(results.cells[0].facts);
  CHECK(*results.cells[0].facts == about);
  CHECK_FALSE(results.cells[1].facts);
}
