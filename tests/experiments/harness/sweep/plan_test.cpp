// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/plan.h"

#include <cstdlib>
#include <fstream>
#include <set>

#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

std::filesystem::path write(const TemporaryDirectory& directory, const std::string& name,
                            const std::string& content) {
  std::ofstream(directory.file(name)) << content;
  return directory.file(name);
}

/// The plan of one sweep, whose text follows the line of the experiment.
Plan plan_of(const std::string& text, Selection selection = {},
             const std::string& experiment = "faulty") {
  static const TemporaryDirectory directory;
  selection.sweeps = {write(directory, "s.toml", "experiment = \"" + experiment + "\"\n" + text)};
  return make_plan(selection);
}

std::vector<std::pair<int64_t, int64_t>> length_and_seed(const Plan& plan) {
  std::vector<std::pair<int64_t, int64_t>> list;
  for (const Cell& cell : plan.cells) list.emplace_back(cell.axes["length"], cell.axes["seed"]);
  return list;
}
using Pairs = std::vector<std::pair<int64_t, int64_t>>;

std::string refusal(const std::string& text, const Selection& selection = {},
                    const std::string& experiment = "faulty") {
  try {
    plan_of(text, selection, experiment);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("cells are the product of the axes, the last one fastest, defaults filled in") {
  const Plan plan = plan_of("[axes]\nseed = [3, 1]\nlength = [2, 4]\n");
  CHECK(length_and_seed(plan) == Pairs{{2, 3}, {4, 3}, {2, 1}, {4, 1}});
  CHECK(plan.cells[0].axes["behaviour"] == "ok");
  CHECK(plan.cells[0].limits["blocks"] == 3);
}

TEST_CASE("without axes there is one cell") {
  CHECK(length_and_seed(plan_of("[fixed]\nlength = 5\n")) == Pairs{{5, 0}});
  CHECK(length_and_seed(plan_of("")) == Pairs{{1, 0}});
}

TEST_CASE("an id depends on what runs and on nothing else") {
  const std::string id = plan_of("[axes]\nlength = [2]\n").cells[0].id;
  CHECK(id.size() == 16);
  CHECK(plan_of("[fixed]\nlength = 2\nseed = 0\n[limits]\nblocks = 7\n").cells[0].id == id);
  CHECK(plan_of("[fixed]\nlength = 3\n").cells[0].id != id);
}

TEST_CASE("equal cells are one cell, also from two sweeps") {
  CHECK(plan_of("[axes]\nlength = [2, 2]\n").cells.size() == 1);
  const TemporaryDirectory directory;
  Selection two;
  two.sweeps = {write(directory, "a.toml", "experiment = \"faulty\"\n[axes]\nlength = [1, 2]\n"),
                write(directory, "b.toml", "experiment = \"faulty\"\n[axes]\nlength = [2, 3]\n")};
  const Plan plan = make_plan(two);
  CHECK(length_and_seed(plan) == Pairs{{1, 0}, {2, 0}, {3, 0}});
  CHECK(plan.sweeps[0].ids[1] == plan.sweeps[1].ids[0]);
}

TEST_CASE("an axis is dropped where `only` does not hold, cells are excluded") {
  const Plan plan = plan_of(
      "[axes]\nlength = [1, 2, 3]\nseed = [1, 2]\n"
      "[[only]]\nwhen = 'length == 2'\nkeep = ['seed']\n[[exclude]]\nwhen = 'length > 2'\n");
  CHECK(length_and_seed(plan) == Pairs{{1, 0}, {2, 1}, {2, 2}});
}

TEST_CASE("conditions see defaults") {
  CHECK(plan_of("[[exclude]]\nwhen = \"behaviour == 'ok'\"\n").cells.empty());
}

TEST_CASE("[[cells]] stand beside the product and multiply only with themselves") {
  const Plan plan = plan_of(
      "[fixed]\nseed = 9\n[axes]\nlength = [1, 2]\n"
      "[[cells]]\nlength = [5, 6]\nseed = [1, 2]\n[[cells]]\nlength = 7\n");
  CHECK(length_and_seed(plan) == Pairs{{1, 9}, {2, 9}, {5, 1}, {5, 2}, {6, 1}, {6, 2}, {7, 9}});
  CHECK(length_and_seed(plan_of("[[cells]]\nlength = 7\n")) == Pairs{{7, 0}});
}

TEST_CASE("a profile replaces what it names") {
  const std::string text =
      "[fixed]\nseed = 1\n[axes]\nlength = [1, 2]\n[limits]\nblocks = 5\n"
      "[profile.smoke.fixed]\nlength = 8\n[profile.mid.axes]\nseed = [4, 5]\nlength = [3]\n"
      "[profile.mid.limits]\nblocks = 2\n";
  Selection selection;
  CHECK(length_and_seed(plan_of(text, selection)) == Pairs{{1, 1}, {2, 1}});
  selection.profile = "smoke";
  CHECK(length_and_seed(plan_of(text, selection)) == Pairs{{8, 1}});
  selection.profile = "mid";
  CHECK(length_and_seed(plan_of(text, selection)) == Pairs{{3, 4}, {3, 5}});
  CHECK(plan_of(text, selection).cells[0].blocks == 2);
  selection.profile = "paper";
  CHECK(length_and_seed(plan_of(text, selection)) == Pairs{{1, 1}, {2, 1}});
}

TEST_CASE("a profile's axis replaces lists in [[cells]], not single values") {
  Selection selection;
  selection.profile = "mid";
  const Plan plan = plan_of(
      "[[cells]]\nlength = 1\nseed = [0]\n[[cells]]\nlength = [2]\nseed = 7\n"
      "[profile.mid.axes]\nseed = [0, 1]\n",
      selection);
  CHECK(length_and_seed(plan) == Pairs{{1, 0}, {1, 1}, {2, 7}});
}

TEST_CASE("the command line comes last") {
  Selection selection;
  selection.axes = {"length=4,8"};
  selection.sets = {"seed=3", "limits.blocks=1"};
  const std::string text = "[axes]\nseed = [1, 2]\n[[cells]]\nlength = 100\n";
  const Plan plan = plan_of(text, selection);
  CHECK(length_and_seed(plan) == Pairs{{4, 3}, {8, 3}});  // [[cells]] became equal to the product
  CHECK(plan.cells[0].blocks == 1);
}

TEST_CASE("a limit given on the command line replaces the file's") {
  Selection selection;
  selection.cell_timeout = "7s";
  CHECK(plan_of("[limits]\ncell_timeout = '3s'\n", selection).cells[0].limits["cell_timeout"] ==
        "7s");
}

TEST_CASE("points that mean nothing are not planned; refused ones are, with the reason") {
  const Plan plan = plan_of("[axes]\nbehaviour = ['ok', 'meaningless', 'refused']\n");
  REQUIRE(plan.cells.size() == 2);
  CHECK(plan.cells[0].refused.empty());
  CHECK(plan.cells[1].refused == "refused on purpose");
}

TEST_CASE("shards divide the cells, whatever their number") {
  Selection selection;
  selection.axes = {"length=1,2,3,4,5,6,7", "seed=0,1,2", "seconds=0,1"};
  const Plan plan = plan_of("", selection);
  for (const int64_t count : {1, 2, 3, 5, 41, 42, 43, 100}) {
    std::multiset<std::string> ids;
    double longest = 0, shortest = 1e9;
    for (int64_t i = 1; i <= count; ++i) {
      double seconds = 0;
      for (const Cell& cell : shard_of(plan.cells, {i, count})) {
        ids.insert(cell.id);
        seconds += cell.prediction.seconds;
      }
      longest = std::max(longest, seconds);
      shortest = std::min(shortest, seconds);
    }
    CHECK(ids.size() == plan.cells.size());
    CHECK(std::set(ids.begin(), ids.end()).size() == plan.cells.size());
    CHECK(longest - shortest <= 1.0);  // the longest cell takes 1 s
  }
}

TEST_CASE("axis values on the command line are JSON where they can be") {
  const Axis axis = parse_axis("mix=1,0.5,true,learned,\"a,b\",\"7\",1e3,null");
  CHECK(axis.name == "mix");
  CHECK(json(axis.values) ==
        json::parse(R"([1, 0.5, true, "learned", "a,b", "7", 1000.0, "null"])"));
}

TEST_CASE("bad sweeps and selectors are refused with the place") {
  CHECK_THAT(refusal("nam = 'x'\n"),
             ContainsSubstring("s.toml:2:1: unknown key 'nam', did you mean 'name'?"));
  CHECK_THAT(refusal("[axes]\nlength = [1\n"), ContainsSubstring("s.toml:"));
  CHECK_THAT(refusal("[axes]\nlength = 1\n"),
             ContainsSubstring("s.toml:3:1: 'length' in [axes] must be a list, got an integer"));
  CHECK_THAT(refusal("[axes]\nlength = []\n"),
             ContainsSubstring("s.toml:3:1: 'length' in [axes] has no values"));
  CHECK_THAT(refusal("[fixed]\nlength = [1]\n"), ContainsSubstring("must be one value"));
  CHECK_THAT(
      refusal("[axes]\nlenght = [1]\n"),
      ContainsSubstring("s.toml:3:1: faulty: unknown axis 'lenght', did you mean 'length'?"));
  CHECK_THAT(refusal("[axes]\nlength = [1, 0]\n"),
             ContainsSubstring("s.toml:3:1: faulty: axis 'length' must be an integer"));
  CHECK_THAT(refusal("[axes]\nlength = [1.5]\n"), ContainsSubstring("s.toml:3:1:"));
  CHECK_THAT(refusal("[axes]\nseconds = [nan]\n"),
             ContainsSubstring("s.toml:3:12: 'seconds' must be finite"));
  CHECK_THAT(refusal("[axes]\nlength = [2020-01-01]\n"), ContainsSubstring("got a date or time"));
  CHECK_THAT(refusal("axes = 3\n"),
             ContainsSubstring("s.toml:2:8: [axes] must be a table, got an integer"));
  CHECK_THAT(refusal("[fixed]\nlength = 1\n[axes]\nlength = [1]\n"),
             ContainsSubstring("stands in [axes] and in [fixed]"));
  CHECK_THAT(
      refusal("[limits]\nblock = 1\n"),
      ContainsSubstring("s.toml:3:1: [limits]: unknown limit 'block', did you mean 'blocks'?"));
  CHECK_THAT(refusal("[limits]\nblocks = 0\n"), ContainsSubstring("s.toml:3:1:"));
  CHECK_THAT(refusal("[limits]\ncell_timeout = '12 parsecs'\n"),
             ContainsSubstring("s.toml:3:1: cell_timeout: got '12 parsecs'"));
  CHECK_THAT(refusal("[[only]]\nkeep = ['seed']\n"),
             ContainsSubstring("s.toml:2:1: [[only]] has no 'when'"));
  CHECK_THAT(refusal("[[only]]\nwhen = 'seed == 1'\nkeep = ['seed']\n"),
             ContainsSubstring("cannot depend on itself"));
  CHECK_THAT(refusal("[[only]]\nwhen = 'seed == 1'\nkeep = ['sed']\n"),
             ContainsSubstring("did you mean 'seed'"));
  CHECK_THAT(refusal("[[exclude]]\nwhen = 'sed == 1'\n"),
             ContainsSubstring("s.toml:3:8: faulty: unknown axis 'sed'"));
  CHECK_THAT(refusal("[exclude]\nwhen = 'seed == 1'\n"),
             ContainsSubstring("[[exclude]] must be tables"));
  CHECK_THAT(refusal("[profile.tiny.axes]\nseed = [1]\n"),
             ContainsSubstring("unknown profile 'tiny'"));
  CHECK_THAT(refusal("[profile.paper.axis]\nseed = [1]\n"),
             ContainsSubstring("unknown key 'axis', did you mean 'axes'?"));
  CHECK_THAT(refusal("name = '../x'\n"),
             ContainsSubstring("s.toml:2:8: 'name' must be made of letters"));

  const auto with = [](auto set) {
    Selection selection;
    set(selection);
    return refusal("", selection);
  };
  CHECK_THAT(with([](Selection& s) { s.profile = "quik"; }),
             ContainsSubstring("--profile: unknown profile 'quik', did you mean 'quick'?"));
  CHECK_THAT(with([](Selection& s) { s.axes = {"length"}; }),
             ContainsSubstring("--axis: got 'length', wanted NAME=VALUE,VALUE"));
  CHECK_THAT(with([](Selection& s) { s.axes = {"length=1,,2"}; }),
             ContainsSubstring("--axis length: got '1,,2', which has an empty value"));
  CHECK_THAT(with([](Selection& s) { s.axes = {"lenght=1"}; }),
             ContainsSubstring("--axis lenght: unknown axis 'lenght', did you mean 'length'?"));
  CHECK_THAT(with([](Selection& s) { s.axes = {"length=x"}; }),
             ContainsSubstring("--axis length: faulty: axis 'length' must be an integer"));
  CHECK_THAT(with([](Selection& s) { s.sets = {"limits.block=1"}; }),
             ContainsSubstring("did you mean 'blocks'?"));
  CHECK_THAT(with([](Selection& s) { s.sets = {"corpus=/no/such"}; }),
             ContainsSubstring("corpus /no/such: there is no such file or folder"));
  CHECK_THAT(with([](Selection& s) { s.devices = {"gpu"}; }),
             ContainsSubstring("--device: got 'gpu'"));
  CHECK_THAT(with([](Selection& s) { s.cell_timeout = "soon"; }),
             ContainsSubstring("--cell-timeout: got 'soon'"));
}

TEST_CASE("a refusal stands where the option that it blames was written") {
  // The value is the name of another axis: a message's quoted words do not tell which is meant.
  CHECK_THAT(refusal("[fixed]\nlength = 7\ndevice = 'length'\n[axes]\nbehaviour = ['ok']\n", {},
                     "efficiency"),
             ContainsSubstring("unknown axis 'behaviour'"));
  CHECK_THAT(refusal("[fixed]\nlength = 7\ndevice = 'length'\n", {}, "efficiency"),
             ContainsSubstring("s.toml:4:1: efficiency: device must be cpu"));
  CHECK_THAT(refusal("[fixed]\ndissect = false\nposition = 'relative'\nmechanism = 'lavo'\n", {},
                     "efficiency"),
             ContainsSubstring("s.toml:4:1: lavo: option 'position'"));
}

TEST_CASE("a job array's shard is taken unasked, a launcher's rank only with auto") {
  for (const char* bad : {"0/3", "4/3", "3", "a/b", "1/0", "1/3x", "/", "Auto"}) {
    CHECK_THROWS_AS(choose_shard(bad), InputError);
  }
  CHECK(choose_shard("2/3").text() == "2/3");
  const std::vector<std::string> names = {
      "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_PROCID",
      "SLURM_NTASKS",        "SLURM_JOB_ID",           "SLURM_STEP_ID",        "RANK",
      "WORLD_SIZE",          "OMPI_COMM_WORLD_RANK",   "OMPI_COMM_WORLD_SIZE"};
  const auto shard_with = [&](const std::vector<std::pair<std::string, std::string>>& variables,
                              const std::string& option = "auto") {
    for (const auto& name : names) ::unsetenv(name.c_str());
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    const std::string text = choose_shard(option).text();
    for (const auto& name : names) ::unsetenv(name.c_str());
    return text;
  };
  CHECK(shard_with({}) == "1/1");
  CHECK(shard_with({{"SLURM_ARRAY_TASK_ID", "0"}, {"SLURM_ARRAY_TASK_COUNT", "4"}}) == "1/4");
  CHECK(shard_with({{"SLURM_ARRAY_TASK_ID", "4"},
                    {"SLURM_ARRAY_TASK_COUNT", "4"},
                    {"SLURM_ARRAY_TASK_MIN", "1"}}) == "4/4");
  CHECK(shard_with({{"SLURM_ARRAY_TASK_ID", "2"}, {"SLURM_ARRAY_TASK_COUNT", "4"}}, "") == "3/4");
  CHECK(shard_with({{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "3"}}, "") == "1/1");
  CHECK(shard_with({{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}}, "") == "1/1");
  CHECK(shard_with({{"RANK", "1"}, {"WORLD_SIZE", "2"}}, "") == "1/1");
  CHECK(shard_with({{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "3"}}) == "2/3");
  CHECK(shard_with({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "3"}, {"SLURM_JOB_ID", "7"}}) == "1/1");
  CHECK(shard_with({{"SLURM_ARRAY_TASK_ID", "1"},
                    {"SLURM_ARRAY_TASK_COUNT", "2"},
                    {"SLURM_PROCID", "2"},
                    {"SLURM_NTASKS", "3"}}) == "6/6");
  CHECK(shard_with({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "2"}}) == "1/2");
  CHECK(shard_with({{"RANK", "1"}, {"WORLD_SIZE", "2"}}) == "2/2");
  CHECK_THROWS_AS(shard_with({{"RANK", "2"}, {"WORLD_SIZE", "2"}}), InputError);
  CHECK_THROWS_AS(shard_with({{"RANK", "x"}, {"WORLD_SIZE", "2"}}), InputError);
  for (const auto& name : names) ::unsetenv(name.c_str());
}
