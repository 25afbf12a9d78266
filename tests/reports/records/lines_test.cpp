// SPDX-License-Identifier: MIT
// Every reader of text refuses what a lenient parser would take for something else.
#include "reports/records/lines.h"

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/run_directory.h"
#include "reports/records/toml_text.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/results_fixture.h"

using namespace lavo;

TEST_CASE("JSON: a key twice, bytes or NULs behind the end") {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      parse_json(text, "a.json");
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(refusal("{\"a\": {\"b\": 1, \"c\": 2}, \"b\": [{\"b\": 1}, {\"b\": 2}]}") == "");
  CHECK(refusal("{\"a\": 1,\n \"b\": {\"c\": \"a\", \"c\": 2}}") ==
        "a.json:2:18: the key 'c' is there twice");
  CHECK(refusal("{\"a\": 1, \"\\u0061\": 1}") == "a.json:1:10: the key 'a' is there twice");
  CHECK(refusal("{\"a\": 1}x") == "a.json:1:9: not JSON");
  CHECK(refusal("{\"a\": 1} {\"a\": 1}") == "a.json:1:10: not JSON");
  CHECK(refusal(std::string("{\"a\": 1}\0", 9)) == "a.json:1:9: not JSON: a NUL byte");
  CHECK(refusal(std::string("{\"a\": \"\0\"}", 10)) == "a.json:1:8: not JSON: a NUL byte");
}

TEST_CASE("TOML: a key twice, a NUL, bytes behind the end") {
  for (const std::string& text :
       {std::string("a = 1\na = 2"), std::string("[t]\n[t]"), std::string("a = 1\n\0", 7),
        std::string("a = 1 b"), std::string("a = {b = 1, b = 2}")}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_toml(text, "a.toml"), InputError);
  }
  CHECK(parse_toml("a = 1", "a.toml").size() == 1);
}

TEST_CASE("JSON lines: only what was torn is left out") {
  const TemporaryDirectory directory;
  const std::string good = test::cell_record("lavo", 64).dump();
  std::string twice = good;
  twice.insert(1, "\"id\": \"0123456789abcdef\", ");
  for (const std::string& bad : {twice, good + good, good + std::string("\0\0", 2), good + " x"}) {
    directory.write("cells.jsonl", good + "\n" + bad + "\n");
    try {
      read_records(directory.path);
      FAIL("was read: " << bad);
    } catch (const InputError& error) {
      CHECK_THAT(error.what(), ContainsSubstring("cells.jsonl:2:"));
    }
    CHECK(run_program({"merge", directory.path.string()}).code == 2);
    CHECK(run_program({"validate", directory.file("cells.jsonl")}).code == 2);
  }
  for (const std::string& torn : {good.substr(0, 50), std::string(20, '\0'), std::string("x")}) {
    directory.write("cells.jsonl", good + "\n" + torn);
    const Records records = read_records(directory.path);
    CHECK(records.by_id.size() == 1);
    CHECK(records.warnings.size() == 1);
  }
}

TEST_CASE("results with a key twice or bytes behind the end: every command refuses them") {
  const TemporaryDirectory directory;
  json cell = test::cell_record("lavo", 64);
  cell["metrics"]["bytes"] = test::plain_metric(1, "B", "exact");
  const std::string good = test::results_document({cell}).dump();
  const std::string whole = directory.write("whole.json", good);
  CHECK(run_program({"compare", whole, whole}).code == 0);
  std::string twice = good;
  twice.insert(1, "\"cells\": [], ");
  for (const std::string& bad : {twice, good + "x", good + std::string("\0", 1)}) {
    const std::string file = directory.write("results.json", bad);
    for (const auto& command : {std::vector<std::string>{"compare", whole, file},
                                {"validate", file},
                                {"report", directory.path.string(), "--tables-only"},
                                {"export", file, "--for", "csv"}}) {
      const Finished refused = run_program(command);
      CAPTURE(command.front(), refused.err);
      CHECK(refused.code == 2);
      CHECK(is_one_line_refusal(refused));
    }
  }
}

TEST_CASE("results.json that is a link into a store is written through it") {
  const TemporaryDirectory store, run;
  const auto link = run.path / "results.json", target = store.path / "kept.json";
  std::filesystem::create_symlink(target, link);
  for (const char* text : {"one", "two"}) {  // first a link to nothing, then to a file
    write_atomically(link, text);
    CHECK(std::filesystem::is_symlink(link));
    CHECK(read_text(target) == text);
  }
  CHECK(std::distance(std::filesystem::directory_iterator(run.path), {}) == 1);
  std::filesystem::create_symlink("b", run.path / "a");
  std::filesystem::create_symlink("a", run.path / "b");
  CHECK_THROWS_AS(write_atomically(run.path / "a", "text"), InputError);
}
