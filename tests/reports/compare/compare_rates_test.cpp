// SPDX-License-Identifier: MIT
// How often the verdicts are right, on simulated sweeps of 32 cells: the figures that a gate needs.
#include "reports/compare/compare.h"
#include "tests/support/catch.h"
#include "tests/support/results_fixture.h"

using namespace lavo;
using namespace lavo::compare;
using namespace lavo::test;

namespace {

Comparison compare_sweeps(const json& base, const json& next, bool side_by_side = false) {
  return compare::compare(parse_results(base, "base"), parse_results(next, "new"),
                          {.side_by_side = side_by_side});
}

size_t slower(const Comparison& comparison, bool lavo) {
  size_t count = 0;
  for (const Row& row : comparison.rows)
    count += row.verdict == Verdict::kSlower && (row.axes.at("mechanism") == "lavo") == lavo;
  return count;
}

}  // namespace

TEST_CASE("twenty comparisons of a build with itself: at most one false slower among 640 cells") {
  const Noise noise = GENERATE(Noise{}, Noise{0.0, 0.03, 0.05}, Noise{0.03, 0.02, 0.1});
  size_t false_slower = 0;
  for (uint64_t i = 0; i < 20; ++i) {
    const Comparison comparison =
        compare_sweeps(simulated_sweep(1000 + i, noise), simulated_sweep(2000 + i, noise));
    false_slower += slower(comparison, true) + slower(comparison, false);
  }
  CAPTURE(noise.drift, noise.block, noise.sample);
  CHECK(false_slower <= 1);
}

TEST_CASE("a mechanism that got slower is found: 10 % in nine of ten runs, 25 % always") {
  const int samples = GENERATE(3, 7, 20);
  CAPTURE(samples);
  int found10 = 0, found25 = 0;
  size_t false_slower = 0, cells10 = 0, cells25 = 0;
  for (uint64_t i = 0; i < 10; ++i) {
    const json base = simulated_sweep(1000 + i, {}, 1, 3, samples);
    const Comparison ten = compare_sweeps(base, simulated_sweep(2000 + i, {}, 1.10, 3, samples));
    const Comparison more = compare_sweeps(base, simulated_sweep(3000 + i, {}, 1.25, 3, samples));
    found10 += exit_code(ten) == 1 && slower(ten, true) > 0;
    found25 += exit_code(more) == 1 && slower(more, true) > 0;
    cells10 += slower(ten, true);
    cells25 += slower(more, true);
    false_slower += slower(ten, false) + slower(more, false);
  }
  CHECK(found10 >= 9);
  CHECK(found25 == 10);
  CHECK(cells10 >= 40);  // of 80: half of the cells one by one, too
  CHECK(cells25 >= 76);
  CHECK(false_slower <= 1);
}

TEST_CASE("side by side, drift between rounds hides nothing and invents nothing") {
  // Rounds that share their drift: both sides from one seed of the drift, 20 % from round to round.
  const Noise rough{0.2, 0.01, 0.02};
  const auto pair = [&](uint64_t seed, double slow) {
    json base = simulated_sweep(seed, {0.0, rough.block, rough.sample}, 1, 6);
    json next = simulated_sweep(seed + 500, {0.0, rough.block, rough.sample}, slow, 6);
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    for (size_t round = 0; round < 6; ++round) {
      const double speed = std::exp(rough.drift * normal(random));
      for (json* document : {&base, &next}) {
        for (json& cell : (*document)["cells"]) {
          json& samples = cell["metrics"]["time"]["samples"];
          for (size_t s = round * 7; s < (round + 1) * 7; ++s)
            samples[s] = samples[s].get<double>() * speed;
        }
      }
    }
    return compare_sweeps(base, next, true);
  };
  size_t false_slower = 0;
  int found = 0;
  for (uint64_t i = 0; i < 10; ++i) {
    const Comparison same = pair(4000 + i, 1), worse = pair(5000 + i, 1.1);
    false_slower += slower(same, true) + slower(same, false) + slower(worse, false);
    found += slower(worse, true) >= 6;  // of its 8 cells
  }
  CHECK(false_slower <= 1);
  CHECK(found >= 9);
}

TEST_CASE("a slowdown of everything is found as well") {
  int found = 0;
  for (uint64_t i = 0; i < 10; ++i) {
    json next = simulated_sweep(2000 + i, {0.01, 0.01, 0.02});
    for (json& cell : next["cells"]) {
      for (json& sample : cell["metrics"]["time"]["samples"]) sample = sample.get<double>() * 1.25;
    }
    const Comparison comparison =
        compare_sweeps(simulated_sweep(1000 + i, {0.01, 0.01, 0.02}), next);
    found += slower(comparison, true) + slower(comparison, false) > 20;
  }
  CHECK(found == 10);
}
