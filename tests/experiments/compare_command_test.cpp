// SPDX-License-Identifier: MIT
// `lavo-bench compare` as scripts use it: exit codes, files, refusals.
#include <cstdlib>
#include <fstream>

#include "lavo/core/files.h"
#include "reports/compare/gate.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/results_fixture.h"

using namespace lavo;
using namespace lavo::test;

namespace {

/// A directory with the files that the tests compare.
struct Files {
  TemporaryDirectory directory;
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(directory.path / name, std::ios::binary) << text;
    return directory.file(name);
  }
  std::string write_json(const std::string& name, const json& document) const {
    return write(name, document.dump());
  }
};

const Noise kQuiet{0, 0.001, 0.001};

Finished compare_files(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "compare");
  return run_program(arguments);
}

}  // namespace

TEST_CASE("exit codes: 0 pass, 1 slower or broke, 3 inconclusive, 4 other machine") {
  const Files files;
  const json steady = simulated_sweep(1, kQuiet);
  const std::string base = files.write_json("base.json", steady);
  const std::string same = files.write_json("same.json", simulated_sweep(2, kQuiet));
  CHECK(compare_files({base, same}).code == 0);
  const Finished slower =
      compare_files({base, files.write_json("slower.json", simulated_sweep(2, kQuiet, 1.1))});
  CHECK(slower.code == 1);
  CHECK_THAT(slower.out, ContainsSubstring("FAIL: 8 slower"));
  CHECK(slower.err.empty());

  json broken = steady;
  broken["cells"][3] = failed(broken["cells"][3], "out_of_memory", "needs 9 GiB");
  const std::string broke = files.write_json("broke.json", broken);
  CHECK(compare_files({base, broke}).code == 1);
  CHECK(compare_files({base, broke, "--fail-on", "slower,worse"}).code == 0);
  CHECK(compare_files({base, broke, "--fail-on", "none"}).code == 0);
  CHECK(compare_files({broke, base}).code == 0);

  json byte = steady;
  json& memory = byte["cells"][5]["metrics"]["peak_memory"]["value"];
  memory = memory.get<double>() + 1;
  CHECK(compare_files({base, files.write_json("byte.json", byte)}).code == 1);

  // Blocks that differ by 5 % leave an interval wider than the margin of 3 %.
  const Noise rough{0, 0.05, 0.001};
  const std::string before = files.write_json("before.json", simulated_sweep(1, rough));
  const std::string open = files.write_json("open.json", simulated_sweep(2, rough));
  CHECK(compare_files({before, open}).code == 0);
  CHECK(compare_files({before, open, "--strict"}).code == 3);

  json other = steady;
  other["environments"]["e"]["machine"]["cores"] = 3;
  const std::string elsewhere = files.write_json("other.json", other);
  CHECK(compare_files({base, elsewhere}).code == 4);
  CHECK(compare_files({base, elsewhere, "--allow-different-env"}).code == 0);
}

TEST_CASE("a directory, a baseline, a policy and every output file") {
  const Files files;
  std::filesystem::create_directories(files.directory.path / "run");
  files.write_json("run/results.json", simulated_sweep(1, kQuiet));
  const std::string run = files.directory.file("run");
  const std::string slower = files.write_json("slower.json", simulated_sweep(2, kQuiet, 1.1));
  ::setenv("LAVO_BASELINES", files.directory.file("kept").c_str(), 1);
  CHECK(compare_files({run, "--save-baseline", "main"}).code == 0);
  CHECK(compare_files({"baseline:main", run}).code == 0);
  CHECK_THAT(compare_files({"baseline:mian", run}).err, ContainsSubstring("did you mean 'main'?"));
  // Only what passes replaces a baseline.
  CHECK_THAT(compare_files({"baseline:main", slower, "--save-baseline", "main"}).out,
             ContainsSubstring("not saved"));
  CHECK(compare_files({"baseline:main", run}).code == 0);

  const std::string gate = files.write("gate.toml", "[[rule]]\nmetric = \"time\"\nmargin = 0.2\n");
  const auto out = [&](const char* name) { return files.directory.file(name); };
  const Finished passed = compare_files({run, slower, "--policy", gate, "--md", out("c.md"),
                                         "--json", out("c.json"), "--junit", out("c.xml")});
  CHECK(passed.code == 0);
  CHECK(read_json(out("c.json"))["exit_code"] == 0);
  CHECK(read_text(out("c.md")).starts_with("### lavo-bench compare: PASS"));
  CHECK(read_text(out("c.xml")).starts_with("<?xml"));
  ::unsetenv("LAVO_BASELINES");
}

TEST_CASE("calibration writes a policy that the next comparison can include") {
  const Files files;
  const Noise rough{0.0, 0.05, 0.05};
  const std::string a = files.write_json("a.json", simulated_sweep(1, rough));
  const std::string b = files.write_json("b.json", simulated_sweep(2, rough));
  const std::string noise = files.directory.file("noise.toml");
  CHECK(compare_files({a, b, "--calibrate", noise}).code == 0);
  const std::string first = read_text(noise);
  CHECK_THAT(first, ContainsSubstring("calibrated_on = \"Example CPU, 2 cores\""));
  const std::string gate = files.write("gate.toml", "include = \"noise.toml\"\nstrict = true\n");
  const Finished known = compare_files({a, b, "--policy", gate});
  CHECK(known.code == 0);  // strict: every difference is within its own floor
  CHECK(known.out.find("another machine") == std::string::npos);
  CHECK(known.out.find("matches nothing") == std::string::npos);
  // Again with other runs: no floor gets lower.
  CHECK(compare_files({a, a, "--calibrate", noise}).code == 0);
  const auto before = compare::parse_policy(first, "first.toml");
  const auto after = compare::read_policy(noise);
  REQUIRE(before.rules.size() == after.rules.size());
  for (size_t i = 0; i < before.rules.size(); ++i)
    CHECK(*after.rules[i].noise >= *before.rules[i].noise);
  CHECK(compare_files(
            {a, files.write_json("slow.json", simulated_sweep(3, rough, 2)), "--policy", gate})
            .code == 1);
  json other = simulated_sweep(2, rough);
  other["environments"]["e"]["build"]["compiler"] = "clang 14";
  CHECK(is_one_line_refusal(
      compare_files({a, files.write_json("other.json", other), "--calibrate", noise})));
}

TEST_CASE("bad input: one line and exit code 2") {
  const Files files;
  const json good = simulated_sweep(1, kQuiet);
  const std::string base = files.write_json("base.json", good);
  const auto with = [&](const json::json_pointer& at, const json& value) {
    json document = good;
    document[at] = value;
    return files.write_json("bad.json", document);
  };
  const auto refusal = [&](const std::vector<std::string>& arguments) {
    const Finished finished = compare_files(arguments);
    CHECK(finished.code == 2);
    CHECK(is_one_line_refusal(finished));
    return finished.err;
  };
  using at = json::json_pointer;
  CHECK_THAT(refusal({base}), ContainsSubstring("BASE and NEW"));
  CHECK_THAT(refusal({base, base, base}), ContainsSubstring("got 3 files"));
  CHECK_THAT(refusal({base, "nowhere.json"}), ContainsSubstring("nowhere.json"));
  CHECK_THAT(refusal({base, files.directory.path}), ContainsSubstring("no results.json"));
  CHECK_THAT(refusal({base, files.write("bad.json", std::string("{\"schema\": \n  nan}"))}),
             ContainsSubstring("bad.json:2:"));
  CHECK_THAT(refusal({base, files.write("bad.json", good.dump().substr(0, 5000))}),
             ContainsSubstring("not JSON"));
  CHECK_THAT(refusal({base, files.write("bad.json", std::string("{\"schema\": 1e999}"))}),
             ContainsSubstring("too large"));
  CHECK_THAT(refusal({base, with(at("/schema"), "lavo.results/9")}),
             ContainsSubstring("wanted \"lavo.results/1\""));
  CHECK_THAT(refusal({base, with(at("/cells"), json::array())}), ContainsSubstring("no cells"));
  CHECK_THAT(refusal({base, with(at("/cells/1"), good["cells"][0])}),
             ContainsSubstring("is the id of $.cells[0] too"));
  CHECK_THAT(refusal({base, with(at("/cells/1/status"), "okay")}),
             ContainsSubstring("did you mean 'ok'?"));
  CHECK_THAT(refusal({base, with(at("/cells/1/environment"), "f")}),
             ContainsSubstring("'f' is not in $.environments"));
  CHECK_THAT(refusal({base, with(at("/cells/1/metrics/time/value"), nullptr)}),
             ContainsSubstring("cells[1].metrics.time.value"));
  CHECK_THAT(refusal({base, with(at("/cells/1/metrics/time/value"), "1 ms")}),
             ContainsSubstring("wanted a number or null"));
  CHECK_THAT(refusal({base, with(at("/cells/1/metrics/time/blocks"), {7, 7})}),
             ContainsSubstring("sums to 14, wanted 21"));
  CHECK_THAT(refusal({base, with(at("/cells/1/metrics/time/kind"), "timin")}),
             ContainsSubstring("did you mean 'timing'?"));
  CHECK_THAT(refusal({base, with(at("/cells/1/status"), "crashed")}),
             ContainsSubstring("wanted null"));
  CHECK_THAT(refusal({base, with(at("/cells/1/axes/length"), json::array())}),
             ContainsSubstring("axes.length"));
  CHECK_THAT(refusal({base, with(at("/environments/e"), json::object())}),
             ContainsSubstring("'machine' is missing"));
  CHECK_THAT(
      refusal({base, base, "--policy", files.write("gate.toml", std::string("fail_om = []"))}),
      ContainsSubstring("gate.toml:1:1"));
  CHECK_THAT(refusal({base, base, "--policy", "none.toml"}), ContainsSubstring("none.toml"));
  CHECK_THAT(refusal({base, base, "--fail-on", "slow"}),
             ContainsSubstring("did you mean 'slower'?"));
  CHECK_THAT(refusal({base, base, "--polcy", "x"}), ContainsSubstring("did you mean '--policy'?"));
  CHECK_THAT(refusal({base, base, "--json", "/nowhere/c.json"}), ContainsSubstring("/nowhere"));
  CHECK_THAT(refusal({"baseline:../x", base}), ContainsSubstring("baseline name"));
  CHECK_THAT(refusal({base, base, "--sweep", "x.toml"}), ContainsSubstring("go with --run"));
  CHECK_THAT(refusal({"--run", base, base}), ContainsSubstring("--sweep"));
  CHECK_THAT(refusal({"--run", base, base, "--sweep", "x.toml"}),
             ContainsSubstring("is not a program"));
}
