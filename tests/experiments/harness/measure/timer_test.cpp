// SPDX-License-Identifier: MIT
#include "experiments/harness/measure/timer.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "tests/support/catch.h"

using namespace lavo;

namespace {

void busy(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
  }
}

}  // namespace

TEST_CASE("a busy loop of known duration is never measured as shorter, and about as long") {
  const auto samples = time_calls("busy", {.run = [] { busy(1e-3); }}, {.least_seconds = 0.03});
  REQUIRE_FALSE(samples.empty());
  CHECK(*std::ranges::min_element(samples) >= 1e-3);
  CHECK(*std::ranges::min_element(samples) < 1e-2);  // ten times: the machine may be busy
}

TEST_CASE("what comes before a call is not timed, and comes before every call") {
  int before = 0, calls = 0;
  const auto samples = time_calls(
      "before", {.run = [&] { busy(1e-4), ++calls; }, .before = [&] { busy(2e-3), ++before; }},
      {.least_seconds = 1e-3});
  CHECK(before == calls);
  CHECK(*std::ranges::min_element(samples) < 2e-3);
}

TEST_CASE("a first call that is slow and long enough alone is only the warm-up") {
  int calls = 0;
  const auto samples = time_calls("cold", {.run = [&] { busy(calls++ == 0 ? 5e-3 : 1e-5); }},
                                  {.least_seconds = 1e-3});
  CHECK(*std::ranges::min_element(samples) < 5e-3);
}

TEST_CASE("consecutive calls are averaged into few samples") {
  const auto samples =
      time_calls("short", {.run = [] { busy(1e-5); }}, {.least_seconds = 5e-3, .most_samples = 7});
  CHECK(samples.size() == 7);
  CHECK(*std::ranges::min_element(samples) >= 1e-5);
}

TEST_CASE("what the call throws passes the benchmark library unharmed") {
  const TimedCall bad = {.run = [] { throw std::domain_error("reason"); }};
  CHECK_THROWS_WITH(time_calls("bad", bad, {.least_seconds = 1e-3}), "reason");
  CHECK_FALSE(time_calls("good", {.run = [] {}}, {.least_seconds = 1e-5}).empty());
}
