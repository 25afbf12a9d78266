// SPDX-License-Identifier: MIT
#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/results_fixture.h"

using namespace lavo;

TEST_CASE("a good sweep is planned in every profile") {
  const TemporaryDirectory directory;
  const std::string path =
      directory.write("sweep.toml",
                      "experiment = \"efficiency\"\n[axes]\nlength = [64, 128]\n"
                      "[profile.smoke.axes]\nlength = [16]\n");
  CHECK_THAT(run_program({"validate", path}).out,
             ContainsSubstring("sweep 'sweep' of efficiency, cells: smoke 1, quick 2, mid 2"));
}

TEST_CASE("a sweep file with one thing wrong is refused with line and column") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"experiment = \"efficiency\"\n[axes]\nlenght = [64]\n", "length"},
      {"experiment = \"efficiency\"\n[axes]\nlength = [0]\n", ":3:"},
      {"experiment = \"eficiency\"\n", "efficiency"},
      {"name = \"a\"\nexperiment = 3\n", ":2:"},
      {"name = \"a\"\n", "experiment"},
      {"name = \"a\"\nexperiment = \"efficiency\"\n[axis]\nlength = [1]\n", ":3:"},
      {"name = \"a\"\nexperiment = \"efficiency\"\n[axes]\nlength = []\n", ":4:"},
      {"name = \"a\"\nexperiment = \"efficiency\"\n[axes]\nlength = [1,, 2]\n", ":4:"},
      {"name = \"a\"\nexperiment = \"efficiency\"\n[fixed]\nlength = 1979-05-27\n", ":4:"},
      {"name = \"a\"\nexperiment = \"efficiency\"\n[profile.fast.axes]\nlength = [1]\n", "quick"},
  }));
  CAPTURE(text, expected);
  const TemporaryDirectory directory;
  const Finished refused = run_program({"validate", directory.write("sweep.toml", text)});
  CHECK(refused.code == 2);
  CHECK(is_one_line_refusal(refused));
  const std::string& line = refused.err;
  CHECK_THAT(line, ContainsSubstring("sweep.toml:"));
  CHECK_THAT(line, ContainsSubstring(expected));
}

TEST_CASE("the program prints one line and exits with 2") {
  const TemporaryDirectory directory;
  const std::string good = directory.write(
      "good.json",
      test::results_document({test::failed(test::cell_record("lavo", 64), "error", "why")}).dump());
  const std::string bad = directory.write("bad.json", "{}");
  CHECK(run_program({"validate", good}).code == 0);
  const Finished refused = run_program({"validate", good, bad});
  CHECK(refused.code == 2);
  CHECK(std::ranges::count(refused.err, '\n') == 1);
  CHECK(is_one_line_refusal(run_program({"validate"})));
}
