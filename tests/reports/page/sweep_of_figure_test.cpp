// SPDX-License-Identifier: MIT
#include "reports/page/sections.h"
#include "tests/support/catch.h"

using namespace lavo;
using namespace lavo::report;

namespace {

Cell model(int bases, int window, int seed, double loss) {
  Cell cell;
  cell.id = fmt::format("{}-{}-{}", bases, window, seed);
  cell.experiment = "language_model";
  cell.status = Status::kOk;
  cell.axes = {{"mechanism", "lavo"},
               {"bases", bases},
               {"window", window},
               {"seed", seed},
               {"context", 512}};
  cell.seed = seed;
  cell.metrics["bits_per_byte"] = {loss, "bit/byte", Better::kLower, Kind::kSeeded};
  return cell;
}

/// Of the only figure of the loss, by (window, bases).
std::map<std::pair<double, double>, double> losses(const Results& results) {
  std::map<std::pair<double, double>, double> found;
  for (const Section& section : heat_maps(results)) {
    for (const auto& block : section.blocks) {
      const auto* figure = std::get_if<Figure>(&block);
      if (!figure || !figure->id.starts_with("grid-loss")) continue;
      for (const json& row : figure->spec.at("data").at("values")) {
        found[{row.at("x"), row.at("y")}] = row.at("value");
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("cells of two sweeps are those of the smaller one, whose command makes no others") {
  Results results;
  results.cells = {model(32, 8, 0, 2.5), model(32, 16, 0, 2.6)};
  const Cells cells = {&results.cells[0], &results.cells[1]};
  Sweep large, small, part;
  large.name = "large";
  large.ids = {"32-8-0", "32-16-0", "64-8-0"};
  small.name = "small";
  small.ids = {"32-8-0", "32-16-0"};
  part.name = "part";
  part.ids = {"32-8-0"};
  for (const auto& sweeps :
       std::vector<std::vector<Sweep>>{{large, small, part}, {part, small, large}}) {
    results.sweeps = sweeps;
    CHECK(sweep_of(results, cells)->name == "small");
  }
  results.sweeps = {};
  CHECK(sweep_of(results, cells) == nullptr);
}

TEST_CASE("a grid holds the cells of the sweep whose command stands under it") {
  Results results;
  results.cells = {model(32, 8, 0, 2.5),  model(32, 16, 0, 2.6), model(64, 8, 0, 2.7),
                   model(64, 16, 0, 2.8), model(64, 16, 1, 3.8), model(64, 16, 2, 4.8)};
  Cell without_options = model(0, 0, 0, 3);
  without_options.axes = {{"mechanism", "vanilla"}, {"seed", 0}, {"context", 512}};
  results.cells.push_back(without_options);
  Sweep grid, seeds;
  grid.name = "grid";
  grid.ids = {"32-8-0", "32-16-0", "64-8-0", "64-16-0"};
  seeds.name = "seeds";
  seeds.ids = {"64-8-0", "64-16-0", "64-16-1", "64-16-2"};
  results.sweeps = {seeds, grid};
  CHECK(losses(results).at({16, 64}) == 2.8);
  CHECK(losses(results).size() == 4);
  results.sweeps = {};  // no plan: the mean of all
  CHECK(losses(results).at({16, 64}) == Approx(3.8));
}
