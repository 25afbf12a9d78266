// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/limits.h"

#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

TEST_CASE("timeouts are times or multiples") {
  CHECK(parse_timeout("120s", "").seconds == 120);
  CHECK(parse_timeout("500ms", "").seconds == 0.5);
  CHECK(parse_timeout("1.5h", "").seconds == 5400);
  CHECK(parse_timeout("2m", "").seconds == 120);
  CHECK(parse_timeout("10x", "").times == 10);
  for (const char* bad : {"", "s", "120", "0s", "-1s", "1d", "1 s", "infs", "nanx", "1e999s"}) {
    CHECK_THROWS_AS(parse_timeout(bad, "here"), OptionError);
  }
}
