// SPDX-License-Identifier: MIT
#include "experiments/state_tracking/state_tracking.h"

#include <cmath>

#include "baselines/table.h"
#include "experiments/state_tracking/state_task.h"
#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace lavo;

namespace {

const Automaton& parity() { return automata().at(0); }

/// Certain of these states.
Tensor certain(const Tensor& states) { return torch::one_hot(states, 2).to(torch::kFloat64) * 40; }

json small_cell(const json& more = json::object()) {
  json axes = {{"mechanism", "linear"}, {"width", 16}, {"context", 8},         {"batch", 4},
               {"steps", 30},           {"warmup", 5}, {"test_sequences", 64}, {"test_factor", 4}};
  axes.update(more);
  return StateTracking().resolve(axes);
}

Outcome run_cell(const json& axes, const std::filesystem::path& directory) {
  Case cell;
  cell.axes = axes;
  cell.directory = directory;
  return StateTracking().run(cell);
}

}  // namespace

TEST_CASE("states of parity are the running sum of the bits, modulo 2") {
  const Sequences drawn = draw_sequences(parity(), 7, 0, 50, 33);
  CHECK(drawn.states.equal(drawn.tokens.cumsum(1).remainder(2)));
  // 1650 bits: the mean has deviation 1/2 / sqrt(1650).
  CHECK(std::abs(drawn.tokens.to(torch::kFloat64).mean().item<double>() - 0.5) < 6 * 0.5 / 40);
  const Sequences later = draw_sequences(parity(), 7, 20, 30, 33);
  CHECK(later.tokens.equal(drawn.tokens.narrow(0, 20, 30)));
  CHECK_FALSE(draw_sequences(parity(), 8, 0, 50, 33).tokens.equal(drawn.tokens));
}

TEST_CASE("a solver by hand scores 1, a guesser chance, one that is always wrong 0") {
  const StateTask task(parity(), {.seed = 3, .sequences = 400, .lengths = {25}});
  const auto solved = [](const Tensor& tokens) { return tokens.cumsum(1).remainder(2); };
  const StateScore solver =
      task.score([&](const Tensor& tokens) { return certain(solved(tokens)); }, 25);
  CHECK(solver.accuracy == 1);
  CHECK(solver.bits < 1e-12);
  CHECK(
      task.score([&](const Tensor& tokens) { return certain(1 - solved(tokens)); }, 25).accuracy ==
      0);
  // Ten thousand states, nearly independent: deviation 1/200.
  const StateScore guesser =
      task.score([&](const Tensor& tokens) { return certain(torch::zeros_like(tokens)); }, 25);
  CHECK(std::abs(guesser.accuracy - parity().chance()) < 6.0 / 200);
  const StateScore ignorant = task.score(
      [&](const Tensor& tokens) {
        return torch::zeros({tokens.size(0), 25, 2});
      },
      25);
  CHECK(ignorant.bits == Approx(1));
}

TEST_CASE("training and test draw other sequences") {
  const StateTask task(parity(), {.seed = 3, .sequences = 8, .lengths = {25}});
  const Batch batch = task.batches({.batch = 8, .context = 25, .seed = 3}, torch::kCPU, 0)->next();
  Tensor tested;
  task.score(
      [&](const Tensor& tokens) {
        tested = tokens;
        return certain(tokens);
      },
      25);
  CHECK_FALSE(batch.input.input.equal(tested));
  const Batch again = task.batches({.batch = 8, .context = 25, .seed = 3}, torch::kCPU, 0)->next();
  CHECK(batch.input.input.equal(again.input.input));
  const auto two = task.batches({.batch = 8, .context = 25, .seed = 3}, torch::kCPU, 0);
  two->next();
  CHECK(two->next().input.input.equal(
      task.batches({.batch = 8, .context = 25, .seed = 3}, torch::kCPU, 1)->next().input.input));
}

TEST_CASE("a cell of state_tracking trains, scores every length and says what chance is") {
  const Scratch a, b;
  const Outcome outcome = run_cell(small_cell(), a.path());
  const auto& lengths = outcome.series.at("accuracy").points;
  REQUIRE(lengths.size() == 3);
  CHECK(lengths[0].first == 8);
  CHECK(lengths[2].first == 32);
  CHECK(lengths[0].second == outcome.metrics.at("accuracy").value);
  CHECK(lengths[2].second == outcome.metrics.at("extrapolated_accuracy").value);
  CHECK(outcome.metrics.at("chance").value == 0.5);
  CHECK(outcome.metrics.at("accuracy").better == Better::kHigher);
  CHECK(outcome.metrics.at("loss").value < 1.5);
  CHECK(outcome.series.at("training_loss").points.size() == 30);
  // The same bits a second time, and other ones for another seed.
  const Outcome again = run_cell(small_cell(), b.path());
  CHECK(again.series.at("training_loss").points == outcome.series.at("training_loss").points);
  CHECK(again.metrics.at("loss").value == outcome.metrics.at("loss").value);
  const Outcome other = run_cell(small_cell({{"seed", 1}}), a.path());
  CHECK(other.metrics.at("loss").value != outcome.metrics.at("loss").value);
}

TEST_CASE("two bits are within reach: their parity is learned") {
  // With learned positions: without, a mean of values is the same after "1" and after "1 1".
  const Scratch folder;
  const Outcome outcome = run_cell(small_cell({{"mechanism", "vanilla"},
                                               {"position_encoding", "learned"},
                                               {"context", 2},
                                               {"batch", 16},
                                               {"steps", 400},
                                               {"test_factor", 1}}),
                                   folder.path());
  CHECK(outcome.metrics.at("accuracy").value == 1);
}

TEST_CASE("axes of state_tracking are checked, and a second resolve changes nothing") {
  CHECK(small_cell().at("task") == "parity");
  CHECK_THROWS_AS(small_cell({{"task", "party"}}), OptionError);
  CHECK_THROWS_AS(small_cell({{"heads", 3}}), OptionError);
  CHECK(small_cell().at("conv") == "none");
  CHECK(small_cell({{"conv", "short"}}).at("conv") == "short");
  CHECK(small_cell({{"conv", "none"}}) == small_cell());
  const json axes = small_cell({{"mechanism", "cosformer"}});
  CHECK(StateTracking().resolve(axes) == axes);
  CHECK(StateTracking().data_digest(axes, "") == "parity/1");
}
