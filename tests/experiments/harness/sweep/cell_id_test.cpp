// SPDX-License-Identifier: MIT
// Names of cells outlast versions of this program: an id that changes loses what was measured.
#include "experiments/harness/sweep/cell_id.h"

#include <set>

#include "baselines/table.h"
#include "experiments/harness/sweep/plan.h"
#include "experiments/registry.h"
#include "lavo/core/sha256.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

std::vector<std::string> ids(const std::string& text, const std::vector<std::string>& axes = {}) {
  const TemporaryDirectory directory;
  Selection selection;
  selection.sweeps = {directory.write("s.toml", text)};
  selection.axes = axes;
  std::vector<std::string> list;
  for (const Cell& cell : make_plan(selection).cells) list.push_back(cell.id);
  return list;
}

using Ids = std::vector<std::string>;

constexpr const char* kLavo =
    "experiment = 'efficiency'\n[fixed]\nthreads = 1\nlength = 64\nmechanism = 'lavo'\n[axes]\n";

}  // namespace

TEST_CASE("cells keep the ids that they were first given") {
  CHECK(ids("experiment = 'efficiency'\n[fixed]\nthreads = 1\nlength = 64\n[axes]\n"
            "mechanism = ['vanilla', 'lavo', 'performer']\n") ==
        Ids{"08c778bb9a2dd508", "6ed8e08f322493d8", "9a9c69d81b05af22"});
  CHECK(ids(std::string(kLavo) + "decay = [1]\nmix = [0, 1, 0.25, 'learned']\n") ==
        Ids{"3f9f8b5180e712e2", "7072fd16993b2bb4", "2df4cd01e2a8389a", "8fd089b76ceb3b4a"});
  CHECK(ids("experiment = 'numerics'\n[fixed]\nthreads = 1\nlength = 64\n[axes]\n"
            "scale = [1, 0.5]\n") == Ids{"6fe07ddd71ad5757", "6273199ac93279aa"});
  CHECK(ids("experiment = 'language_model'\n[fixed]\nthreads = 1\n[axes]\n"
            "mechanism = ['vanilla', 'local']\n") == Ids{"e2429015797e5c15", "bc4762b577d9d60a"});
}

TEST_CASE("a number has one id, however it is written") {
  CHECK(ids(std::string(kLavo) + "mix = [0, 0.0, -0.0, 0e5]\n") == Ids{"3f9f8b5180e712e2"});
  CHECK(ids(kLavo, {"mix=0,-0,-0.0,0e5,-0e-3"}) == Ids{"3f9f8b5180e712e2"});
  CHECK(ids(kLavo, {"mix=1,1.0,10e-1"}) == Ids{"7072fd16993b2bb4"});
}

TEST_CASE("a device has one id, however it is written") {
  const std::string faulty = "experiment = 'faulty'\n";
  const Ids cuda = ids(faulty, {"device=cuda"});
  CHECK(cuda.size() == 1);
  CHECK(ids(faulty, {"device=cuda:0"}) == cuda);
  CHECK(ids(faulty, {"device=cuda:0,cuda,cuda:00"}) == cuda);
  CHECK(ids(faulty + "[fixed]\ndevice = 'cuda:0'\n") == cuda);
  CHECK(ids(faulty + "[[cells]]\ndevice = ['cuda:0', 'cuda']\n") == cuda);
  CHECK(ids(faulty, {"device=cuda:1"}) != cuda);
  Selection selection;
  const TemporaryDirectory directory;
  selection.sweeps = {directory.write("s.toml", faulty)};
  selection.devices = {"cuda:0", "cuda"};
  CHECK(make_plan(selection).cells[0].id == cuda[0]);
}

TEST_CASE("what is declared later enters an id only where it is not its default") {
  const Experiment& faulty = find_experiment("faulty");
  const json axes = faulty.resolve(json::object());
  REQUIRE(axes.at("extra") == 0);
  json before = axes;
  before.erase("extra");
  const json identity = {
      {"experiment", "faulty"}, {"spec_version", 1}, {"axes", before}, {"data", ""}};
  CHECK(cell_id(faulty, axes, "") == sha256(identity.dump()).substr(0, 16));
  CHECK(cell_id(faulty, faulty.resolve({{"extra", 0}}), "") == cell_id(faulty, axes, ""));
  CHECK(cell_id(faulty, faulty.resolve({{"extra", 1}}), "") != cell_id(faulty, axes, ""));
}

TEST_CASE("a switch of a layer enters an id where it is not what the layer says") {
  const Experiment& models = find_experiment("language_model");
  const auto id = [&](json given) {
    given["mechanism"] = "gated_deltanet";
    return cell_id(models, models.resolve(given), "");
  };
  const std::string plain = id({{"layer", "plain"}}), own = id({{"layer", "own"}});
  CHECK(plain == id(json::object()));
  CHECK(plain == id({{"conv", "none"}, {"expand_v", 1}}));
  CHECK(own == id({{"layer", "own"}, {"conv", "short"}, {"expand_v", 2}}));
  const std::set<std::string> different = {plain,
                                           own,
                                           id({{"layer", "equal"}}),
                                           id({{"layer", "own"}, {"conv", "none"}}),
                                           id({{"conv", "short"}}),
                                           id({{"layer", "own"}, {"expand_v", 1}}),
                                           id({{"layer", "own"}, {"position_encoding", "rope"}})};
  CHECK(different.size() == 7);
  const json axes = models.resolve({{"mechanism", "gated_deltanet"}, {"layer", "own"}});
  CHECK_FALSE(axes.contains("conv"));
  CHECK(axes.at("position_encoding") == "none");
  CHECK(models.resolve(axes) == axes);
}

TEST_CASE("an axis of a model is not an option of a mechanism that has the same name") {
  const Experiment& models = find_experiment("language_model");
  const json axes = models.resolve({{"mechanism", "lightning"}, {"layers", 3}});
  CHECK(axes.at("layers") == 3);
  CHECK(axes.at("layer") == "plain");
}

TEST_CASE("a word stands for all mechanisms or for a group, in the order of the table") {
  Ids all, group;
  for (const Entry& entry : mechanisms()) {
    all.push_back(entry.name);
    if (entry.group == "2020 to 2022") group.push_back(entry.name);
  }
  const auto names = [](const std::string& text) {
    const TemporaryDirectory directory;
    Selection selection;
    selection.sweeps = {directory.write(
        "s.toml", "experiment = 'efficiency'\n[fixed]\nthreads = 1\nlength = 64\n" + text)};
    Ids list;
    for (const Cell& cell : make_plan(selection).cells) list.push_back(cell.axes["mechanism"]);
    return list;
  };
  CHECK(names("[axes]\nmechanism = 'all'\n") == all);
  CHECK(names("[axes]\nmechanism = ['all', 'lavo']\n") == all);
  CHECK(names("[[cells]]\nmechanism = 'all'\n") == all);
  REQUIRE(group.size() > 1);
  CHECK(names("[axes]\nmechanism = '2020 to 2022'\n") == group);
  group.insert(group.begin(), "vanilla");
  CHECK(names("[axes]\nmechanism = ['vanilla', '2020 to 2022']\n") == group);
  std::erase(group, "linear");
  CHECK(names("[axes]\nmechanism = ['vanilla', '2020 to 2022']\n"
              "[[exclude]]\nwhen = \"mechanism == 'linear'\"\n") == group);
}
