// SPDX-License-Identifier: MIT
#include "experiments/harness/machine/environment.h"

#include <cmath>

#include "experiments/harness/machine/nvml.h"
#include "experiments/harness/measure/noise.h"
#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

/// A machine without anything to complain about.
json good_environment() {
  json environment = read_environment();
  environment["machine"]["cores"] = 16;
  environment["machine"]["gpu_model"] = nullptr;
  environment["build"]["type"] = "Release";
  environment["build"]["flags"] = "-O2";
  environment["build"]["dirty"] = false;
  environment["circumstance"]["load"] = {0.0, 0.0, 0.0};
  environment["circumstance"]["governor"] = "performance";
  environment["circumstance"]["cpu_quota"] = nullptr;
  environment["circumstance"]["gpus"] = nullptr;
  return environment;
}

std::string only_trouble(const json& environment) {
  const auto troubles = find_troubles(environment);
  return troubles.size() == 1 ? troubles[0] : fmt::format("{} troubles", troubles.size());
}

}  // namespace

TEST_CASE("the circumstance changes the id of an environment but not its fingerprint") {
  const json one = good_environment();
  json two = one;
  two["circumstance"]["load"] = {9.0, 9.0, 9.0};
  CHECK(environment_id(one) != environment_id(two));
  CHECK(environment_fingerprint(one) == environment_fingerprint(two));
  two["machine"]["cores"] = 17;
  CHECK(environment_fingerprint(one) != environment_fingerprint(two));
}

TEST_CASE("troubles are named with a remedy, and only where they are") {
  CHECK(find_troubles(good_environment()).empty());
  const auto with = [](const json::json_pointer& where, const json& value) {
    json environment = good_environment();
    environment[where] = value;
    return only_trouble(environment);
  };
  using Pointer = json::json_pointer;
  CHECK_THAT(with(Pointer("/circumstance/load/0"), 12.0), ContainsSubstring("load 12.0 on 16"));
  CHECK_THAT(with(Pointer("/machine/cores"), 2), ContainsSubstring("only 2 cores"));
  CHECK_THAT(with(Pointer("/circumstance/governor"), "powersave"), ContainsSubstring("powersave"));
  CHECK_THAT(with(Pointer("/circumstance/cpu_quota"), 1.5), ContainsSubstring("--threads 1"));
  CHECK_THAT(with(Pointer("/build/type"), "Debug"), ContainsSubstring("--preset release"));
  CHECK_THAT(with(Pointer("/build/flags"), "-fsanitize=address"), ContainsSubstring("sanitizers"));
  CHECK_THAT(with(Pointer("/build/dirty"), true), ContainsSubstring("changed files"));
}

TEST_CASE("a GPU that is slowed down is named") {
  json environment = good_environment();
  environment["build"]["cuda"] = "13.0";
  environment["machine"]["gpu_model"] = "X100";
  environment["circumstance"]["gpus"] = {{{"model", "X100"},
                                          {"throttle_reasons", {"idle", "power brake"}},
                                          {"mig", false},
                                          {"processes", 0},
                                          {"persistence", true}}};
  CHECK(only_trouble(environment) == "X100 is slowed down: power brake");
}

TEST_CASE("throttle reasons are read from the driver's mask") {
  CHECK(throttle_reasons(0).empty());
  CHECK(throttle_reasons(0x1 | 0x4 | 0x40) ==
        std::vector<std::string>{"idle", "software power cap", "hardware thermal slowdown"});
}

TEST_CASE("noise is nothing where all times are equal, and what was put in where they are not") {
  const Noise still = noise_of("w", std::vector<double>(400, 2.0), 10);
  CHECK(still.median_ms == 2.0);
  CHECK(still.spread == 0);
  CHECK(still.floor == 0);
  CHECK(still.drift == 0);
  std::vector<double> alternating, drifting;
  for (int i = 0; i < 400; ++i) {
    alternating.push_back(i / 10 % 2 ? 1.1 : 1.0);
    drifting.push_back(1.0 + i / 400.0);
  }
  CHECK(std::abs(noise_of("w", alternating, 10).floor - 0.1) < 1e-9);
  CHECK(noise_of("w", drifting, 10).drift > 0.5);
  CHECK_THROWS_AS(noise_of("w", {1, 2, 3}, 1), Error);
}
