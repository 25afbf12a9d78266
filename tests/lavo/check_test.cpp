// SPDX-License-Identifier: MIT
#include "lavo/core/check.h"

#include "tests/support/catch.h"

using namespace lavo;

TEST_CASE("an unknown name is answered with the nearest known one") {
  const std::vector<std::string> known = {"cosformer", "lavo", "linear", "performer"};
  CHECK(unknown_name("mechanism", "perfomer", known) ==
        "unknown mechanism 'perfomer', did you mean 'performer'? mechanisms: cosformer, lavo, "
        "linear, performer");
  CHECK(did_you_mean("xyzzy", known) == "");
  CHECK(did_you_mean("lvao", known) == ", did you mean 'lavo'?");
}

TEST_CASE("a refusal is one line, whatever it quotes") {
  CHECK(on_one_line("a\nb\x1b[0m\x7f \xc3\xa9") == "a\\nb\\x1b[0m\\x7f \xc3\xa9");
  CHECK(std::string(InputError("x\ny").what()) == "x\\ny");
}
