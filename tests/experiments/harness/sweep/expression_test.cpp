// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/expression.h"

#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

const json kPoint = {{"mechanism", "lavo"}, {"length", 4096}, {"causal", true},
                     {"dissect", false},    {"mix", 0.5},     {"gate", "learned"}};

bool holds(const std::string& text) { return Expression(text, "f:1:1").holds(kPoint); }

}  // namespace

TEST_CASE("conditions compare axes with values") {
  CHECK(holds("mechanism == 'lavo'"));
  CHECK(holds("mechanism == \"lavo\""));
  CHECK_FALSE(holds("mechanism != 'lavo'"));
  CHECK(holds("length == 4096"));
  CHECK(holds("length == 4.096e3"));
  CHECK(holds("length >= 4096"));
  CHECK_FALSE(holds("length > 4096"));
  CHECK(holds("length <= 4096"));
  CHECK_FALSE(holds("length < 4096"));
  CHECK(holds("-1 < mix"));
  CHECK(holds("mix<.75"));
  CHECK(holds("mechanism in ['local', 'lavo']"));
  CHECK_FALSE(holds("mechanism in []"));
  CHECK(holds("length not in [256, 512]"));
  CHECK(holds("causal"));
  CHECK_FALSE(holds("dissect"));
  CHECK(holds("causal == true and dissect == false"));
  CHECK(holds("true"));
}

TEST_CASE("not binds tighter than and, and tighter than or") {
  CHECK(holds("true or false and false"));
  CHECK_FALSE(holds("(true or false) and false"));
  CHECK(holds("not false and true"));
  CHECK_FALSE(holds("not (false or true)"));
  CHECK(holds("not not true"));
  CHECK(holds("not length == 1"));
}

TEST_CASE("a name that a point lacks is different from everything, neither above nor below") {
  CHECK_FALSE(holds("window == 16"));
  CHECK(holds("window != 16"));
  CHECK_FALSE(holds("window < 16"));
  CHECK_FALSE(holds("window >= 16"));
  CHECK_FALSE(holds("window"));
  CHECK_FALSE(holds("window in [16]"));
  CHECK_FALSE(holds("gate < 1"));  // text is not a number
}

TEST_CASE("a condition knows what it reads") {
  const Expression e("mechanism in ['lavo', 'local'] and (length > 4 or mechanism == 'x')", "");
  CHECK(e.names() == std::vector<std::string>{"mechanism", "length"});
  CHECK(e.texts_compared_with("mechanism") == std::vector<std::string>{"lavo", "local", "x"});
  CHECK(e.texts_compared_with("length").empty());
}

TEST_CASE("a bad condition is refused with its column") {
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"", "column 1: got the end, wanted an axis or a value"},
      {"length >", "column 9: got the end, wanted an axis or a value"},
      {"length > 4 4", "column 12: got '4', wanted 'and', 'or' or the end"},
      {"(length > 4", "column 12: got the end, wanted ')'"},
      {"length = 4", "column 8: got '=', wanted 'and', 'or' or the end"},
      {"length > 'a'", "column 8: got '>', wanted numbers on both sides of it"},
      {"mechanism == 'lavo", "column 14: got ''lavo', wanted a closing quote"},
      {"length in 4", "column 11: got '4', wanted '['"},
      {"length in [4 5]", "column 14: got '5', wanted ',' or ']'"},
      {"length in [4", "column 13: got the end, wanted ',' or ']'"},
      {"length not 4", "column 12: got '4', wanted 'in'"},
      {"and", "column 1: got 'and', wanted an axis or a value"},
      {"4", "column 2: got the end, wanted a comparison: ==, !=, <, <=, >, >=, in"},
      {"length == 4x", "column 11: got '4x', wanted a number"},
      {"length == 1e999", "column 11: got '1e999', wanted a number"},
      {"length & 4", "column 8: got '&', wanted 'and', 'or' or the end"},
      {std::string(500, '('), "column 101: got '(', wanted fewer nested parentheses"},
  }));
  CAPTURE(text);
  try {
    Expression(text, "f.toml:3:8");
    FAIL("accepted");
  } catch (const InputError& error) {
    CHECK_THAT(error.what(), ContainsSubstring(message));
    CHECK_THAT(error.what(), ContainsSubstring("f.toml:3:8: condition"));
  }
}
