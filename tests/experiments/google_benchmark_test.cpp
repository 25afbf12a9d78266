// SPDX-License-Identifier: MIT
#include <map>
#include <set>

#include "baselines/table.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

TEST_CASE("every mechanism is a Google Benchmark, checked and with its counters") {
  const Finished finished = run_google_benchmark(
      {"--benchmark_filter=/T:256/", "--benchmark_min_time=0.001", "--benchmark_format=json"});
  REQUIRE(finished.code == 0);
  const json document = json::parse(finished.out);
  std::map<std::string, std::set<std::string>> passes;  // of "mechanism/implementation"
  for (const json& row : document.at("benchmarks")) {
    const std::string name = row.at("name");
    CAPTURE(name);
    CHECK(!row.contains("error_occurred"));
    const size_t slash = name.find('/');
    passes[name.substr(slash + 1, name.find("/T:") - slash - 1)].insert(name.substr(0, slash));
    const double time_s = row.at("real_time").get<double>() / 1e3;
    const double tokens = name.starts_with("decode") ? 1 : 256;
    CHECK(row.at("time_unit") == "ms");
    CHECK(row.at("tokens_per_second") == Approx(tokens / time_s).epsilon(0.01));
    CHECK(row.at("bytes_per_second") > 0);
    CHECK(row.at("peak_bytes") > 0);
  }
  const std::set<std::string> all = {"forward", "forward_backward", "decode"};
  for (const Entry& entry : mechanisms()) {
    const std::set<std::string> expected =
        entry.name == "nystromformer" ? std::set<std::string>{"forward", "forward_backward"} : all;
    if (entry.is_fused()) CHECK(passes[entry.name + "/fused"] == expected);
    if (entry.facts.composed) CHECK(passes[entry.name + "/composed"] == expected);
    if (entry.facts.naive) CHECK(passes[entry.name + "/naive"] == expected);
  }
}

TEST_CASE("an argument that Google Benchmark does not know is refused") {
  CHECK(run_google_benchmark({"--length=3"}).code == 2);
}
