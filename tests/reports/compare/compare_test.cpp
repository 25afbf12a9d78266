// SPDX-License-Identifier: MIT
#include "reports/compare/compare.h"

#include <algorithm>

#include "lavo/core/check.h"
#include "reports/compare/compare_formats.h"
#include "tests/support/catch.h"
#include "tests/support/results_fixture.h"

using namespace lavo;
using namespace lavo::compare;
using namespace lavo::test;

namespace {

Comparison compare_documents(const json& base, const json& next, const Options& options = {}) {
  return compare::compare(parse_results(base, "base.json"), parse_results(next, "new.json"),
                          options);
}

/// One cell with one metric on each side.
Comparison compare_metrics(const json& base, const json& next, const Options& options = {}) {
  json a = cell_record("lavo", 512), b = a;
  a["metrics"]["m"] = base;
  b["metrics"]["m"] = next;
  return compare_documents(results_document({a}), results_document({b}), options);
}

json times(double scale, int blocks = 3) {
  std::vector<std::vector<double>> all(static_cast<size_t>(blocks));
  for (int b = 0; b < blocks; ++b) {
    for (int s = 0; s < 5; ++s)
      all[static_cast<size_t>(b)].push_back(scale * (1 + 0.002 * b + 0.001 * s));
  }
  return timing_metric(all);
}

const Row& only_row(const Comparison& comparison) {
  REQUIRE(comparison.rows.size() == 1);
  return comparison.rows.front();
}

Options with_policy(const std::string& text) { return {.policy = parse_policy(text, "gate.toml")}; }

}  // namespace

TEST_CASE("times: beyond the margin slower or faster, within it the same") {
  CHECK(only_row(compare_metrics(times(1), times(1.1))).verdict == Verdict::kSlower);
  CHECK(exit_code(compare_metrics(times(1), times(1.1))) == 1);
  CHECK(only_row(compare_metrics(times(1), times(0.9))).verdict == Verdict::kFaster);
  CHECK(exit_code(compare_metrics(times(1), times(0.9))) == 0);
  CHECK(only_row(compare_metrics(times(1), times(1.01))).verdict == Verdict::kSame);
  // 3 % straight through the interval of about 0.4 %: nobody can tell.
  const Comparison open = compare_metrics(times(1), times(1.03));
  CHECK(only_row(open).verdict == Verdict::kInconclusive);
  CHECK_THAT(only_row(open).reason, ContainsSubstring("further block"));
  CHECK(exit_code(open) == 0);
  CHECK(exit_code(compare_metrics(times(1), times(1.03), with_policy("strict = true"))) == 3);
  // Where more is better, less is slower.
  json speed = times(1), less = times(0.8);
  speed["better"] = less["better"] = "higher";
  CHECK(only_row(compare_metrics(speed, less)).verdict == Verdict::kSlower);
  CHECK(*only_row(compare_metrics(speed, less)).ratio == Approx(0.8).epsilon(1e-9));
}

TEST_CASE("side by side the ratios within the rounds count, whatever the machine's clock does") {
  // A clock that drops by a third for some rounds, and once between the two of a round.
  const std::vector<double> clock = {1, 1, 1.35, 1.35, 1, 1, 1.35, 1.35, 1.35};
  const auto rounds = [&](double scale, size_t dropped) {
    std::vector<std::vector<double>> all;
    for (size_t b = 0; b < clock.size(); ++b) {
      const double now =
          scale * (b == dropped ? 1.35 : clock[b]) * (1 + 0.002 * static_cast<double>(b % 3));
      all.push_back({now, now * 1.001, now * 1.002});
    }
    return timing_metric(all);
  };
  const auto verdict = [&](double scale, size_t dropped, bool side_by_side) {
    return only_row(compare_metrics(rounds(1, 9), rounds(scale, dropped),
                                    {.side_by_side = side_by_side}))
        .verdict;
  };
  CHECK(verdict(1.1, 0, true) == Verdict::kSlower);
  CHECK(verdict(0.9, 1, true) == Verdict::kFaster);
  CHECK(verdict(1, 0, true) == Verdict::kSame);
  CHECK(verdict(1.1, 0, false) == Verdict::kInconclusive);
}

TEST_CASE("the policy moves the margin, the absolute floor and what fails") {
  CHECK(only_row(compare_metrics(times(1), times(1.1), with_policy("[[rule]]\nmargin = 0.2")))
            .verdict == Verdict::kSame);
  // 0.1 ms more on 1 ms is below a floor of 0.15 ms.
  CHECK(only_row(compare_metrics(times(1), times(1.1), with_policy("[[rule]]\nfloor = 0.15")))
            .verdict == Verdict::kSame);
  // By default a microsecond: 10 % of 5 us is nothing.
  CHECK(only_row(compare_metrics(times(0.005), times(0.0055))).verdict == Verdict::kSame);
  const Comparison warned =
      compare_metrics(times(1), times(2), with_policy("[[rule]]\nmetric = \"m\"\nfail_on = []"));
  CHECK(only_row(warned).verdict == Verdict::kSlower);
  CHECK(exit_code(warned) == 0);
  CHECK(exit_code(compare_metrics(times(1), times(2), with_policy("fail_on = [\"broke\"]"))) == 0);
  CHECK(exit_code(compare_metrics(times(2), times(1), with_policy("fail_on = [\"faster\"]"))) == 1);
  CHECK(compare_metrics(times(1), times(1), with_policy("[[rule]]\nignore = true")).rows.empty());
}

TEST_CASE("with fewer than three blocks samples stand in, the margin is doubled and it is said") {
  const Comparison few = compare_metrics(times(1, 2), times(1.05, 2));
  CHECK(*only_row(few).margin == Approx(0.06));
  CHECK(only_row(few).verdict == Verdict::kSame);
  CHECK_THAT(few.notes.at(0), ContainsSubstring("fewer than 3 blocks"));
  CHECK(only_row(compare_metrics(times(1, 2), times(1.1, 2))).verdict == Verdict::kSlower);
  const json one = plain_metric(1, "ms", "timing");
  CHECK(only_row(compare_metrics(one, one)).verdict == Verdict::kInconclusive);
  json zero = times(1);
  zero["samples"][0] = 0;
  CHECK(only_row(compare_metrics(zero, times(1))).verdict == Verdict::kInconclusive);
}

TEST_CASE("exact metrics: one byte counts, in the direction that is better") {
  const auto verdict = [](double base, double next, const std::string& better) {
    return only_row(compare_metrics(plain_metric(base, "B", "exact", better),
                                    plain_metric(next, "B", "exact", better)))
        .verdict;
  };
  const double base = 64e9;  // B
  CHECK(verdict(base, base + 1, "lower") == Verdict::kWorse);
  CHECK(verdict(base, base - 1, "lower") == Verdict::kBetter);
  CHECK(verdict(base, base, "lower") == Verdict::kSame);
  CHECK(verdict(base, base + 1, "higher") == Verdict::kBetter);
  CHECK(verdict(0, 1, "lower") == Verdict::kWorse);
  CHECK(exit_code(compare_metrics(plain_metric(base, "B", "exact"),
                                  plain_metric(base + 1, "B", "exact"))) == 1);
  CHECK(
      compare_metrics(plain_metric(1, "B", "exact", "none"), plain_metric(2, "B", "exact", "none"))
          .rows.empty());
}

TEST_CASE("bounds: above the tolerance, or above twice what it was") {
  const auto verdict = [](double base, double next, const Options& options) {
    return only_row(compare_metrics(plain_metric(base, "1", "bound"),
                                    plain_metric(next, "1", "bound"), options))
        .verdict;
  };
  const Options tolerance = with_policy("[[rule]]\nkind = \"bound\"\ntolerance = 1e-5");
  CHECK(verdict(1e-6, 9e-6, tolerance) == Verdict::kSame);
  CHECK(verdict(1e-6, 1.1e-5, tolerance) == Verdict::kWorse);
  CHECK(verdict(1.2e-5, 1.1e-5, tolerance) == Verdict::kWorse);  // a bound is absolute
  CHECK(verdict(1.2e-5, 1e-6, tolerance) == Verdict::kBetter);
  CHECK(verdict(1e-6, 1.9e-6, {}) == Verdict::kSame);
  CHECK(verdict(1e-6, 2.1e-6, {}) == Verdict::kWorse);
  CHECK(verdict(0, 1e-9, {}) == Verdict::kWorse);
}

TEST_CASE("seeded metrics: cells that differ in the seed alone are one test") {
  const auto document = [](const std::vector<double>& values) {
    std::vector<json> cells;
    for (size_t seed = 0; seed < values.size(); ++seed) {
      json cell = cell_record("lavo", 512);
      cell["axes"]["seed"] = seed;
      cell["id"] = fmt::format("{:016x}", seed);
      cell["metrics"]["perplexity"] = plain_metric(values[seed], "1", "seeded");
      cells.push_back(cell);
    }
    return results_document(cells);
  };
  const auto row = [&](const std::vector<double>& base, const std::vector<double>& next) {
    return only_row(compare_documents(document(base), document(next)));
  };
  const std::vector<double> base = {4.10, 4.12, 4.08, 4.11};
  CHECK(row(base, base).verdict == Verdict::kSame);
  const Row worse = row(base, {4.30, 4.33, 4.28, 4.31});
  CHECK(worse.verdict == Verdict::kWorse);
  CHECK(worse.axes.contains("seed") == false);
  CHECK(*worse.next == Approx(4.305));
  CHECK(row(base, {3.90, 3.93, 3.88, 3.91}).verdict == Verdict::kBetter);
  CHECK(row(base, {4.0, 4.3, 3.9, 4.35}).verdict == Verdict::kInconclusive);
  // Deviations of 0.001 leave an interval of 0.002 around a difference of 0.002: below 0.5 %
  // of 4.1.
  CHECK(row({4.100, 4.101, 4.099, 4.100}, {4.102, 4.103, 4.101, 4.102}).verdict == Verdict::kSame);
  CHECK(row({4.1}, {4.1}).verdict == Verdict::kSame);
  CHECK(row({4.1}, {4.1 * (1 + 1e-7)}).verdict == Verdict::kSame);
  CHECK(row({4.1}, {4.2}).verdict == Verdict::kInconclusive);
}

TEST_CASE("statuses: broke fails, fixed passes, another failure is open") {
  json ok = cell_record("lavo", 512);
  ok["metrics"]["time"] = times(1);
  const json memory = failed(ok, "out_of_memory", "needs 9 GiB");
  const json hang = failed(ok, "timeout", "ended after 60 s");
  const json other = cell_record("linear", 512);
  json steady = other;
  steady["metrics"]["time"] = times(1);
  const auto with = [&](const json& cell) { return results_document({cell, steady}); };
  const auto verdict_of_lavo = [&](const Comparison& comparison) {
    return std::ranges::find(comparison.rows, "lavo",
                             [](const Row& row) { return row.axes["mechanism"]; })
        ->verdict;
  };
  const Comparison broke = compare_documents(with(ok), with(memory));
  CHECK(broke.rows.front().verdict == Verdict::kBroke);
  CHECK(broke.rows.front().reason == "ok, then out_of_memory: needs 9 GiB");
  CHECK(exit_code(broke) == 1);
  CHECK(broke.means.at(0).cells == 1);
  CHECK(verdict_of_lavo(compare_documents(with(memory), with(ok))) == Verdict::kFixed);
  CHECK(exit_code(compare_documents(with(memory), with(ok))) == 0);
  CHECK(verdict_of_lavo(compare_documents(with(memory), with(memory))) == Verdict::kSame);
  CHECK(verdict_of_lavo(compare_documents(with(memory), with(hang))) == Verdict::kInconclusive);
}

TEST_CASE("new and missing cells are shown and never part of a mean") {
  const auto cell = [](const char* mechanism, double time) {
    json record = cell_record(mechanism, 512);
    record["metrics"]["time"] = times(time);
    return record;
  };
  const json base = results_document({cell("lavo", 1), cell("linear", 100)});
  const json next = results_document({cell("lavo", 1), cell("local", 0.01)});
  const Comparison comparison = compare_documents(base, next);
  CHECK(comparison.count(Verdict::kMissing) == 1);
  CHECK(comparison.count(Verdict::kNew) == 1);
  CHECK(comparison.means.at(0).cells == 1);
  CHECK(comparison.means.at(0).ratio == Approx(1).epsilon(1e-12));
  CHECK(exit_code(comparison) == 0);
  CHECK(exit_code(compare_documents(base, next, with_policy("fail_on = \"missing\""))) == 1);
  CHECK_THROWS_WITH(
      compare_documents(results_document({cell("lavo", 1)}), results_document({cell("local", 1)})),
      ContainsSubstring("nothing can be compared"));
}

TEST_CASE("a geometric mean is over ratios, with an interval") {
  std::vector<json> a, b;
  for (const auto& [mechanism, ratio] :
       std::vector<std::pair<const char*, double>>{{"lavo", 2}, {"linear", 0.5}, {"local", 1.1}}) {
    json cell = cell_record(mechanism, 512);
    cell["metrics"]["time"] = times(1);
    a.push_back(cell);
    cell["metrics"]["time"] = times(ratio);
    b.push_back(cell);
  }
  const Comparison comparison = compare_documents(results_document(a), results_document(b));
  const GeometricMean mean = comparison.means.at(0);
  CHECK(mean.ratio == Approx(std::cbrt(1.1)).epsilon(1e-9));
  CHECK(mean.interval->low <= mean.ratio);
  CHECK(mean.ratio <= mean.interval->high);
  CHECK(mean.interval->high / mean.interval->low < 1.01);  // the blocks differ by 0.4 %
}

TEST_CASE("other machines are incomparable, by the fields and not by the id") {
  json cell = cell_record("lavo", 512);
  cell["metrics"]["time"] = times(1);
  const json base = results_document({cell});
  for (const char* field : {"cpu_model", "gpu_model", "driver"}) {
    json next = base;
    next["environments"]["e"]["machine"][field] = "another";
    const Comparison comparison = compare_documents(base, next);
    CHECK(only_row(comparison).verdict == Verdict::kIncomparable);
    CHECK_THAT(only_row(comparison).reason, ContainsSubstring(field));
    CHECK(exit_code(comparison) == 4);
  }
  for (const char* field : {"cores", "memory_bytes", "gpu_memory_bytes"}) {
    json next = base;
    next["environments"]["e"]["machine"][field] = 7;
    CHECK(exit_code(compare_documents(base, next)) == 4);
    const Comparison allowed = compare_documents(base, next, {.allow_different_machine = true});
    CHECK(only_row(allowed).verdict == Verdict::kSame);
    CHECK_THAT(allowed.notes.at(0), ContainsSubstring(field));
    CHECK(exit_code(allowed) == 0);
  }
  json renamed = base;
  renamed["environments"] = {{"other", base["environments"]["e"]}};
  renamed["cells"][0]["environment"] = "other";
  renamed["environments"]["other"]["build"]["compiler"] = "clang 14";
  CHECK(exit_code(compare_documents(base, renamed)) == 0);
}

TEST_CASE("other circumstances are compared, and it is said once what differs") {
  json one = cell_record("lavo", 512), two = cell_record("lavo", 1024);
  one["metrics"]["time"] = two["metrics"]["time"] = times(1);
  json base = results_document({one, two});
  json& now = base["environments"]["e"]["circumstance"];
  now["governor"] = "performance";
  now["variables"] = {{"OMP_NUM_THREADS", "2"}};
  CHECK(compare_documents(base, base).notes.empty());
  json next = base;
  json& then = next["environments"]["e"]["circumstance"];
  then["load"] = 1.5;  // differs in any two runs
  CHECK(compare_documents(base, next).notes.empty());
  then["governor"] = "powersave";
  then["variables"] = {{"THP_MEM_ALLOC_ENABLE", "0"}};
  const Comparison comparison = compare_documents(base, next);
  CHECK(exit_code(comparison) == 0);
  REQUIRE(comparison.notes.size() == 3);
  CHECK_THAT(comparison.notes[0],
             ContainsSubstring(R"(governor: "performance", then "powersave")"));
  CHECK_THAT(comparison.notes[1], ContainsSubstring(R"(OMP_NUM_THREADS: "2", then null)"));
  CHECK_THAT(comparison.notes[2], ContainsSubstring(R"(THP_MEM_ALLOC_ENABLE: null, then "0")"));
}

TEST_CASE("what is measured differently is incomparable") {
  json a = cell_record("lavo", 512), b = a;
  a["metrics"]["time"] = times(1);
  b["metrics"]["time"] = times(2);
  b["id"] = "00000000000000ff";
  b["spec_version"] = 2;
  const Comparison spec = compare_documents(results_document({a}), results_document({b}));
  CHECK(only_row(spec).verdict == Verdict::kIncomparable);
  CHECK(exit_code(spec) == 4);
  b["spec_version"] = 1;
  CHECK_THAT(only_row(compare_documents(results_document({a}), results_document({b}))).reason,
             ContainsSubstring("other data"));
  json seconds = times(1);
  seconds["unit"] = "s";
  CHECK(only_row(compare_metrics(times(1), seconds)).verdict == Verdict::kIncomparable);
}

TEST_CASE("a metric in another unit or direction is not judged, whatever stands beside it") {
  json a = cell_record("lavo", 512);
  a["metrics"]["time"] = times(5);
  a["metrics"]["bytes"] = plain_metric(64, "B", "exact");
  json unit = a, direction = a;
  unit["metrics"]["time"]["unit"] = "us";
  direction["metrics"]["time"]["better"] = "higher";
  for (const json& b : {unit, direction}) {
    for (const bool strict : {false, true}) {
      const Comparison comparison = compare_documents(results_document({a}), results_document({b}),
                                                      {.policy = {.strict = strict}});
      CHECK(exit_code(comparison) == 4);
      const auto row = std::ranges::find(comparison.rows, "time", &Row::metric);
      CHECK(row->verdict == Verdict::kIncomparable);
      CHECK_FALSE(row->ratio);
      CHECK(comparison.count(Verdict::kSame) == 1);  // the bytes
      CHECK_THAT(conclusion(comparison), ContainsSubstring("INCOMPARABLE"));
    }
  }
  const Comparison shown = compare_documents(results_document({a}), results_document({unit}));
  CHECK_THAT(as_table(shown, false, false), ContainsSubstring("5.02 ms  5.02 us"));
  CHECK(as_json(shown)["rows"][0]["base_unit"] == "ms");
  // A failure beside it is a failure all the same.
  unit["metrics"]["bytes"]["value"] = 65;
  CHECK(exit_code(compare_documents(results_document({a}), results_document({unit}))) == 1);
  // A policy that leaves the metric out is not asked about its unit.
  CHECK(exit_code(compare_documents(results_document({a}), results_document({direction}),
                                    with_policy("[[rule]]\nmetric = \"time\"\nignore = true"))) ==
        0);
}

TEST_CASE("the order of the cells does not matter") {
  json base = simulated_sweep(1, {}), next = simulated_sweep(2, {}, 1.1);
  const std::string sorted = as_json(compare_documents(base, next)).dump();
  std::mt19937 random(3);
  for (int i = 0; i < 3; ++i) {
    std::shuffle(base["cells"].begin(), base["cells"].end(), random);
    std::shuffle(next["cells"].begin(), next["cells"].end(), random);
    CHECK(as_json(compare_documents(base, next)).dump() == sorted);
  }
}
