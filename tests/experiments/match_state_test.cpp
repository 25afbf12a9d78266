// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/match_state.h"

#include <algorithm>
#include <cmath>

#include "baselines/table.h"
#include "experiments/harness/run/runner.h"
#include "experiments/harness/sweep/plan.h"
#include "experiments/registry.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/problem.h"
#include "reports/records/check_results.h"
#include "reports/records/run_directory.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

const TemporaryDirectory& folder() {
  static const TemporaryDirectory directory;
  return directory;
}

/// The plan of one sweep, whose text follows the line of the experiment.
Plan plan_of(const std::string& text, const std::vector<std::string>& sets = {},
             const std::string& experiment = "efficiency") {
  Selection selection;
  selection.sweeps = {folder().write("s.toml", "experiment = '" + experiment + "'\n" + text)};
  selection.sets = sets;
  return make_plan(selection);
}

std::string refusal_of_sweep(const std::string& text, const std::vector<std::string>& sets = {},
                             const std::string& experiment = "efficiency") {
  try {
    plan_of(text, sets, experiment);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

/// Tokens that fill every window that is looked at here, and those after it.
constexpr int64_t kStreamed = 300;

/// Numbers of the largest state in a stream of one sequence, token by token, in float32.
int64_t largest_numbers(const StateUse& use) {
  torch::NoGradGuard no_grad;
  const auto mechanism = make_mechanism(use.mechanism, use.options, use.setting, 0);
  const int64_t tokens = std::min(kStreamed, mechanism->longest());
  const Shape shape{.B = 1,
                    .H = use.setting.heads,
                    .T = tokens,
                    .S = tokens,
                    .D = use.setting.head_dim,
                    .E = use.setting.value_dim};
  json counts = use.options;
  counts[""] = use.setting.model_dim;
  const Inputs in = random_inputs(*mechanism, shape, torch::kFloat32, 1, {.causal = true}, counts);
  const auto state = mechanism->new_state();
  int64_t largest = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    mechanism->forward(in.narrow(t, 1), *state);
    int64_t numbers = 0;
    for (const auto& [name, x] : state->named()) numbers += x.numel();
    largest = std::max(largest, numbers);
  }
  return largest;
}

/// The same for a cell with another value of one of its axes.
int64_t numbers_with(const Cell& cell, const std::string& name, int64_t value) {
  json axes = cell.axes;
  axes[name] = value;
  return largest_numbers(cell.experiment->state_use(cell.experiment->resolve(axes)));
}

const json& only_note(const Cell& cell) {
  REQUIRE(cell.matched_state.size() == 1);
  return cell.matched_state.front();
}

constexpr const char* kOneHead =
    "match_state_bytes = 33280\n[fixed]\nheads = 1\nthreads = 1\nlength = 64\n";

}  // namespace

TEST_CASE("every state of a fixed size comes as near to 8320 numbers as integers allow") {
  const Plan plan = plan_of(std::string(kOneHead) + "[axes]\nmechanism = 'all'\n");
  CHECK(plan.cells.size() == mechanisms().size());
  CHECK(plan.off_budget.empty());
  int matched = 0;
  for (const Cell& cell : plan.cells) {
    const std::string name = cell.axes["mechanism"];
    CAPTURE(name, cell.refused);
    const Entry& entry = find_mechanism(name);
    const std::string by = *entry.facts.state_option ? entry.facts.state_option : "head_dim";
    if (!cell.refused.empty()) {
      CHECK(cell.refused.starts_with("match_state_bytes 33280: "));
      CHECK(cell.axes.at(by).is_null());
      CHECK(cell.matched_state.empty());
      continue;
    }
    ++matched;
    const json& note = only_note(cell);
    CAPTURE(note.dump());
    CHECK(note["by"] == by);
    const int64_t value = note["value"];
    CHECK(cell.axes.at(by) == value);
    CHECK(note["budget_bytes"] == 33280);
    const int64_t numbers = numbers_with(cell, by, value);
    CHECK(note["counted_bytes"] == 4 * numbers);
    CHECK(note["true_bytes"] >= 4 * numbers);
    CHECK(note["ratio"].get<double>() == 4.0 * static_cast<double>(numbers) / 33280);
    CHECK(std::abs(note["ratio"].get<double>() - 1) <= 0.02);
    const int64_t distance = std::abs(numbers - 8320);
    CHECK(std::abs(numbers_with(cell, by, value - 1) - 8320) >= distance);
    CHECK(std::abs(numbers_with(cell, by, value + 1) - 8320) >= distance);
  }
  CHECK(matched >= 15);
}

TEST_CASE("what has no state of one size is skipped with the reason, beside its own cell") {
  const auto refused = [](const std::string& mechanism, const std::string& more = "") {
    const Plan plan = plan_of(std::string(kOneHead) + "mechanism = '" + mechanism + "'\n" + more);
    REQUIRE(plan.cells.size() == 1);
    return plan.cells.front().refused;
  };
  for (const char* growing : {"vanilla", "vanilla_math", "eva"}) {
    CHECK_THAT(refused(growing), ContainsSubstring("its state grows with the tokens seen"));
  }
  CHECK_THAT(refused("none"), ContainsSubstring("its state has 0 bytes whatever head_dim is"));
  CHECK_THAT(refused("nystromformer"), ContainsSubstring("causal"));
  CHECK_THAT(refused("linear", "causal = false\n"),
             ContainsSubstring("a state is of causal self attention"));
  CHECK_THAT(refused("lavo", "mix = 1\n"), ContainsSubstring("bytes whatever bases is"));
  const Plan plan = plan_of(
      "[fixed]\nthreads = 1\nlength = 64\nmechanism = 'vanilla'\n"
      "[[cells]]\n[[cells]]\nmatch_state_bytes = [1000, 33280]\n");
  REQUIRE(plan.cells.size() == 2);
  CHECK(plan.cells[0].refused.empty());
  CHECK_FALSE(plan.cells[1].refused.empty());
}

TEST_CASE("a matched cell is the one that is written by hand") {
  const Plan matched =
      plan_of(std::string(kOneHead) + "[axes]\nmechanism = ['linear', 'gsa', 'lavo', 'local']\n");
  for (const Cell& cell : matched.cells) {
    const json& note = only_note(cell);
    const std::string text =
        fmt::format("[fixed]\nheads = 1\nthreads = 1\nlength = 64\nmechanism = '{}'\n{} = {}\n",
                    cell.axes["mechanism"].get<std::string>(), note["by"].get<std::string>(),
                    note["value"].get<int64_t>());
    const Plan by_hand = plan_of(text);
    REQUIRE(by_hand.cells.size() == 1);
    CHECK(by_hand.cells[0].id == cell.id);
    CHECK(by_hand.cells[0].matched_state.empty());
  }
}

TEST_CASE("a cell that several budgets lead to is one, and knows of each") {
  Selection selection;
  selection.sweeps = {folder().write("hand.toml",
                                     "experiment = 'efficiency'\n[fixed]\nheads = 1\nthreads = 1\n"
                                     "mechanism = 'linear'\nhead_dim = 4\n"),
                      folder().write("match.toml",
                                     "experiment = 'efficiency'\nmatch_state_bytes = [80, 81]\n"
                                     "[fixed]\nheads = 1\nthreads = 1\nmechanism = 'linear'\n")};
  const Plan plan = make_plan(selection);
  REQUIRE(plan.cells.size() == 1);
  CHECK(plan.sweeps[0].ids == plan.sweeps[1].ids);
  REQUIRE(plan.cells[0].matched_state.size() == 2);
  CHECK(plan.cells[0].matched_state[0]["ratio"] == 1.0);
  CHECK(plan.cells[0].matched_state[1]["budget_bytes"] == 81);
}

TEST_CASE("match_state_by names another axis or option, where the cell has it") {
  const Plan plan = plan_of(
      "match_state_bytes = 99840\nmatch_state_by = ['window', 'heads']\n"
      "[fixed]\nthreads = 1\n[axes]\nmechanism = ['lavo', 'linear']\n");
  REQUIRE(plan.cells.size() == 4);
  const auto by = [&](size_t i) { return only_note(plan.cells[i])["by"].get<std::string>(); };
  CHECK(by(0) == "window");
  CHECK(plan.cells[0].axes["bases"] == 64);
  CHECK(by(1) == "head_dim");  // linear has no window
  CHECK(by(2) == "heads");
  CHECK(by(3) == "heads");
  CHECK(plan.cells[3].axes["head_dim"] == 64);
}

TEST_CASE("match_state_by: heads of a fixed width stand at no equal steps, and the state falls") {
  const Plan plan = plan_of(
      "match_state_bytes = [16640, 33280]\nmatch_state_by = 'heads'\n"
      "[fixed]\nwidth = 64\nlayers = 1\n[axes]\nmechanism = ['abc', 'mesa']\n",
      {}, "language_model");
  REQUIRE(plan.cells.size() == 4);
  for (const Cell& cell : plan.cells) {
    CAPTURE(cell.axes.dump(), cell.refused);
    CHECK(cell.refused.empty());
    CHECK(only_note(cell)["ratio"].get<double>() > 0.98);
    CHECK(only_note(cell)["ratio"].get<double>() < 1.02);
  }
}

TEST_CASE("match_state_by: every divisor of a width is looked at") {
  const std::string rest =
      "match_state_by = 'heads'\n[fixed]\nlayers = 1\nmechanism = 'linear'\nposition_encoding = "
      "'none'\n";
  for (const auto& [width, heads] : {std::pair{96, 12}, {96, 3}, {35, 7}, {35, 35}}) {
    CAPTURE(width, heads);
    const std::string fixed = rest + "width = " + std::to_string(width) + "\n";
    // linear's state of a head: head_dim^2 numbers and head_dim of the normaliser.
    const int64_t bytes = 4 * width * (width / heads + 1);
    const Plan plan = plan_of("match_state_bytes = " + std::to_string(bytes) + "\n" + fixed, {},
                              "language_model");
    REQUIRE(plan.cells.size() == 1);
    CAPTURE(plan.cells[0].refused);
    CHECK(plan.cells[0].axes["heads"] == heads);
  }
}

TEST_CASE("profiles, [[cells]] and the command line replace the budget") {
  const std::string text =
      "match_state_bytes = 33280\n[fixed]\nheads = 1\nthreads = 1\n"
      "mechanism = 'linear'\n[profile.smoke]\nmatch_state_bytes = 80\n";
  const auto head_dims = [](const Plan& plan) {
    std::vector<int64_t> list;
    for (const Cell& cell : plan.cells) list.push_back(cell.axes["head_dim"]);
    return list;
  };
  using List = std::vector<int64_t>;
  CHECK(head_dims(plan_of(text)) == List{91});
  CHECK(head_dims(plan_of(text + "[[cells]]\nmatch_state_bytes = [24, 80]\n")) == List{2, 4});
  CHECK(head_dims(plan_of(text + "[[cells]]\n[[cells]]\nhead_dim = 7\n[[only]]\n"
                                 "when = 'head_dim != 7'\nkeep = ['match_state_bytes']\n")) ==
        List{91, 7});
  CHECK(head_dims(plan_of(text, {"match_state_bytes=24"})) == List{2});
  Selection smoke;
  smoke.sweeps = {folder().write("s.toml", "experiment = 'efficiency'\n" + text)};
  smoke.profile = "smoke";
  CHECK(head_dims(make_plan(smoke)) == List{4});
}

TEST_CASE("widths of models are solved for in the steps that heads and rope allow") {
  const std::string text = "match_state_bytes = 33280\n[fixed]\nthreads = 1\nheads = 3\n";
  for (const char* experiment : {"language_model", "state_tracking"}) {
    const Plan plan = plan_of(text +
                                  "mechanism = 'linear'\n[axes]\n"
                                  "position_encoding = ['rope', 'none']\n",
                              {}, experiment);
    REQUIRE(plan.cells.size() == 2);
    for (const int64_t step : {6, 3}) {
      const Cell& cell = plan.cells[step == 6 ? 0 : 1];
      CAPTURE(experiment, step);
      const int64_t width = only_note(cell)["value"];
      CHECK(width % step == 0);
      const auto distance = [&](int64_t w) {
        return std::abs(numbers_with(cell, "width", w) - 8320);
      };
      CHECK(distance(width - step) >= distance(width));
      CHECK(distance(width + step) >= distance(width));
    }
  }
  // A memory of the layer's own input is one for all heads.
  const Plan lavo = plan_of(text + "mechanism = 'lavo'\nwidth = 96\n", {}, "language_model");
  const json& note = only_note(lavo.cells.front());
  CHECK(lavo.cells.front().axes["memory"] == "context");
  CHECK(note["by"] == "bases");
  CHECK(note["counted_bytes"] == 4 * numbers_with(lavo.cells.front(), "bases", note["value"]));
}

TEST_CASE("a state that is off the budget is told, one far off is skipped") {
  const Plan off = plan_of(
      "match_state_bytes = 100\n[fixed]\nheads = 1\nthreads = 1\n"
      "mechanism = 'linear'\n[axes]\nlength = [64, 128]\n");
  CHECK(off.cells.size() == 2);
  CHECK(off.off_budget == std::vector<std::string>{"linear head_dim=4: a state of 80 bytes, 0.800 "
                                                   "of match_state_bytes 100"});
  const Plan far = plan_of("match_state_bytes = 4\n[fixed]\nthreads = 1\nmechanism = 'linear'\n");
  CHECK(far.cells.front().refused ==
        "match_state_bytes 4: its nearest state, with head_dim = 1, has 32 bytes");
  const Plan huge = plan_of(
      "match_state_bytes = 9000000\nmatch_state_by = 'look_back'\n[fixed]\n"
      "threads = 1\nmechanism = 'local'\n");
  CHECK_THAT(huge.cells.front().refused, ContainsSubstring("with look_back = 64, has"));
}

TEST_CASE("what match_state_bytes cannot mean is refused with the place") {
  const auto says = [](const std::string& text, const std::string& message,
                       const std::vector<std::string>& sets = {},
                       const std::string& experiment = "efficiency") {
    CHECK_THAT(refusal_of_sweep(text, sets, experiment), ContainsSubstring(message));
  };
  says("match_state_bytes = 3\n",
       "s.toml:2:1: 'match_state_bytes' must be an integer 4 ... 67108864");
  says("match_state_bytes = 'x'\n", "s.toml:2:1: 'match_state_bytes' must be an integer");
  says("match_state_bytes = 33280.5\n", "bytes of a state, got 33280.5");
  says("match_state_bytes = []\n", "s.toml:2:1: 'match_state_bytes' in [the file] has no values");
  says("match_state_byte = 8\n",
       "unknown key 'match_state_byte', did you mean 'match_state_bytes'?");
  says("[fixed]\nmatch_state_bytes = 80\n",
       "s.toml:3:1: 'match_state_bytes' is no axis: it stands");
  says("[axes]\nmatch_state_by = ['window']\n", "s.toml:3:1: 'match_state_by' is no axis");
  says("[[cells]]\nmatch_state_bytes = 1\n", "s.toml:3:1: 'match_state_bytes' must be");
  says("[profile.paper]\nmatch_state_bytes = true\n", "s.toml:3:1: 'match_state_bytes' must be");
  says("match_state_by = 7\nmatch_state_bytes = 80\n", "s.toml:2:1: 'match_state_by' must be text");
  says(
      "match_state_bytes = 80\nmatch_state_by = 'windw'\n",
      "s.toml:3:1: match_state_by: unknown integer axis or option 'windw', did you mean 'window'?");
  says("match_state_bytes = 80\nmatch_state_by = 'mechanism'\n", "unknown integer axis or option");
  says("match_state_by = 'window'\n",
       "s.toml:2:1: 'match_state_by' stands without match_state_bytes");
  says("match_state_bytes = 33280\n[fixed]\nmechanism = 'linear'\nhead_dim = 64\n",
       "s.toml:5:1: 'head_dim' is given, and match_state_bytes solves for it in cells of linear");
  says("match_state_bytes = 33280\n[axes]\nmechanism = ['gsa']\nslot_count = [8, 16]\n",
       "s.toml:5:1: 'slot_count' is given");
  says("match_state_bytes = 80\n[fixed]\nmechanism = 'linnear'\n",
       "s.toml:4:1: unknown mechanism 'linnear', did you mean 'linear'?");
  says("match_state_bytes = 80\n[fixed]\nepsilon = 'x'\nmechanism = 'linear'\n", "s.toml:4:1: ");
  says("", "--set match_state_bytes: 'match_state_bytes' must be", {"match_state_bytes=x"});
  says("match_state_bytes = 80\n", "s.toml:2:1: faulty: unknown axis 'match_state_bytes'", {},
       "faulty");
  const Finished finished = run_program(
      {"plan", folder().write("bad.toml", "experiment = 'efficiency'\nmatch_state_bytes = 0\n")});
  CHECK(finished.code == 2);
  CHECK(is_one_line_refusal(finished));
}

TEST_CASE("the record says what was chosen") {
  const TemporaryDirectory directory;
  Selection selection;
  selection.sweeps = {directory.write(
      "s.toml",
      "experiment = 'numerics'\nmatch_state_bytes = 2100\n[fixed]\nheads = 1\n"
      "threads = 1\nlength = 64\n[axes]\nmechanism = ['linear', 'vanilla', 'gla']\n")};
  const Plan plan = make_plan(selection);
  RunOptions options;
  options.directory = directory.path / "run";
  options.isolation = Isolation::kNone;
  options.quiet = true;
  run_plan(plan, json::object(), options);
  const json results = read_json(options.directory / "results.json");
  check_results(results, "results");
  const auto records = read_records(options.directory).by_id;
  for (const Cell& cell : plan.cells) {
    const json& record = records.at(cell.id);
    CAPTURE(record.dump());
    if (cell.axes["mechanism"] == "vanilla") {
      CHECK(record["status"] == "skipped");
      CHECK_THAT(record["reason"].get<std::string>(), ContainsSubstring("grows"));
      CHECK_FALSE(record["notes"].contains("matched_state"));
    } else {
      CHECK(record["status"] == "ok");
      CHECK(record["notes"]["matched_state"] == cell.matched_state);
    }
  }
  const std::string off =
      "linear head_dim=22: a state of 2024 bytes, 0.964 of match_state_bytes 2100";
  CHECK(plan.off_budget == std::vector<std::string>{off});
  CHECK_THAT(run_program({"plan", selection.sweeps[0].string()}).out, ContainsSubstring(off));
  CHECK_THAT(
      run_program({"run", selection.sweeps[0].string(), "-o", options.directory.string()}).err,
      ContainsSubstring(off));
  CHECK_THAT(read_text(options.directory / "plans" / "s.json"), ContainsSubstring("matched_state"));
}
