// SPDX-License-Identifier: MIT
#include "reports/compare/gate.h"

#include <fstream>

#include "lavo/core/check.h"
#include "reports/records/cell_name.h"
#include "tests/support/catch.h"

using namespace lavo;
using namespace lavo::compare;

namespace {

std::string refusal(const std::string& text) {
  try {
    parse_policy(text, "gate.toml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

Row row_of(const std::string& mechanism, int length, const std::string& metric, Kind kind) {
  Row row;
  row.experiment = "efficiency";
  row.axes = {{"mechanism", mechanism}, {"length", length}, {"pass", "forward"}};
  row.cell = cell_name(row.experiment, row.axes);
  row.metric = metric;
  row.kind = kind;
  row.unit = kind == Kind::kTiming ? "ms" : "B";
  return row;
}

}  // namespace

TEST_CASE("without a policy: 3 % and a microsecond for times, nothing for exact metrics") {
  std::vector<bool> used;
  const Limits time = limits_for({}, row_of("lavo", 512, "time", Kind::kTiming), used);
  CHECK(time.margin == 0.03);
  CHECK(time.floor == 1e-3);  // ms
  CHECK((time.fail_on == std::set{Verdict::kSlower, Verdict::kWorse, Verdict::kBroke}));
  const Limits memory = limits_for({}, row_of("lavo", 512, "peak_memory", Kind::kExact), used);
  CHECK(memory.margin == 0);
  CHECK(memory.floor == 0);
}

TEST_CASE("rules apply by name, axes, metric and kind; a later one wins field by field") {
  const Policy policy = parse_policy(R"(
fail_on = ["broke"]
strict = true
[[rule]]
kind = "timing"
margin = 0.1
floor = 0.5
[[rule]]
axes = {mechanism = "la*", length = [512, 1024]}
margin = 0.2
[[rule]]
cells = "*/length:512/*"
metric = "peak_*"
ignore = true
[[rule]]
cells = ["efficiency/mechanism:linear/*", "nothing"]
noise = 0.3
fail_on = []
)",
                                     "gate.toml");
  CHECK(policy.strict);
  std::vector<bool> used;
  const auto limits = [&](const Row& row) { return limits_for(policy, row, used); };
  CHECK(limits(row_of("lavo", 512, "time", Kind::kTiming)).margin == 0.2);
  CHECK(limits(row_of("lavo", 512, "time", Kind::kTiming)).floor == 0.5);
  CHECK(limits(row_of("lavo", 2048, "time", Kind::kTiming)).margin == 0.1);
  CHECK(used == std::vector{true, true, false, false});
  CHECK(limits(row_of("lavo", 512, "peak_memory", Kind::kExact)).ignore);
  CHECK_FALSE(limits(row_of("lavo", 1024, "peak_memory", Kind::kExact)).ignore);
  const Limits linear = limits(row_of("linear", 2048, "time", Kind::kTiming));
  CHECK(linear.margin == 0.3);  // noise raises the margin, it never lowers it
  CHECK(linear.fail_on.empty());
}

TEST_CASE("where the machine is too noisy for a time, it only warns") {
  const Policy policy = parse_policy(
      "warn_above_noise = 0.1\n[[rule]]\nmetric = \"time\"\nnoise = 0.2\n"
      "[[rule]]\naxes = {length = 512}\nnoise = 0.05\n",
      "gate.toml");
  std::vector<bool> used;
  const auto fails = [&](int length) {
    return limits_for(policy, row_of("lavo", length, "time", Kind::kTiming), used).fail_on;
  };
  CHECK(fails(512).contains(Verdict::kSlower));
  CHECK_FALSE(fails(1024).contains(Verdict::kSlower));
  CHECK(fails(1024).contains(Verdict::kBroke));
  const Limits memory = limits_for(policy, row_of("lavo", 1024, "peak_memory", Kind::kExact), used);
  CHECK(memory.fail_on.contains(Verdict::kWorse));
}

TEST_CASE("a policy may include others, found beside it") {
  const auto directory = std::filesystem::temp_directory_path() / "lavo_gate_test";
  std::filesystem::create_directories(directory / "machines");
  std::ofstream(directory / "machines" / "noise.toml")
      << "calibrated_on = \"here\"\n[[rule]]\nmetric = \"time\"\nnoise = 0.07\n";
  std::ofstream(directory / "gate.toml")
      << "include = [\"strict.toml\", \"machines/noise.toml\"]\nfail_on = []\n";
  std::ofstream(directory / "strict.toml") << "strict = true\n";
  const Policy policy = read_policy(directory / "gate.toml");
  CHECK(policy.rules.size() == 1);
  CHECK(policy.calibrated_on == std::vector<std::string>{"here"});
  CHECK(policy.fail_on.empty());
  CHECK(policy.strict);  // the second file does not mention it
  std::ofstream(directory / "loop.toml") << "include = [\"loop.toml\"]\n";
  CHECK_THROWS_WITH(read_policy(directory / "loop.toml"), ContainsSubstring("include each other"));
  std::filesystem::remove_all(directory);
}

TEST_CASE("a wrong policy is refused with its place and what was meant") {
  CHECK(refusal("fail_om = []") ==
        "gate.toml:1:1: unknown key 'fail_om', did you mean 'fail_on'? keys: include, fail_on, "
        "strict, false_discovery_rate, warn_above_noise, calibrated_on, rule");
  CHECK_THAT(refusal("[[rule]]\n  margn = 0.1"),
             ContainsSubstring("gate.toml:2:3: unknown key 'margn', did you mean 'margin'?"));
  CHECK(refusal("[[rule]]\nmargin = -0.1") == "gate.toml:2:10: got -0.1, wanted a number >= 0");
  CHECK(refusal("[[rule]]\nmargin = nan") == "gate.toml:2:10: got nan, wanted a number >= 0");
  CHECK(refusal("[[rule]]\nmargin = \"3%\"") == "gate.toml:2:10: got \"3%\", wanted a number >= 0");
  CHECK_THAT(refusal("fail_on = [\"slow\"]"),
             ContainsSubstring("gate.toml:1:12: unknown verdict 'slow', did you mean 'slower'?"));
  CHECK_THAT(refusal("[[rule]]\nkind = \"time\""),
             ContainsSubstring("gate.toml:2:8: unknown kind 'time'"));
  CHECK_THAT(refusal("[rule]\nmargin = 0.1"), ContainsSubstring("wanted [[rule]]"));
  CHECK_THAT(refusal("strict = 1"),
             ContainsSubstring("gate.toml:1:10: got 1, wanted true or false"));
  CHECK_THAT(refusal("false_discovery_rate = 2"), ContainsSubstring("between 0 and 1"));
  CHECK_THAT(refusal("include = \"none.toml\""),
             ContainsSubstring("gate.toml:1:11: include: there is no none.toml"));
  CHECK_THAT(refusal("strict = \n"), ContainsSubstring("gate.toml:1:"));
  CHECK_THAT(refusal("[[rule]]\naxes = {length = [[1]]}"), ContainsSubstring("got a list"));
}

TEST_CASE("names are fixed: the same axes in any order, escaped") {
  CHECK(
      cell_name("efficiency",
                {{"pass", "forward"}, {"causal", true}, {"mechanism", "lavo"}, {"length", 512}}) ==
      "efficiency/mechanism:lavo/length:512/pass:forward/causal:true");
  CHECK(cell_name("e", {{"a", "x/y z%"}, {"b", nullptr}, {"c", 1.0}, {"d", 0.1}}) ==
        "e/a:x%2Fy%20z%25/b:unset/c:1/d:0.1");
}
