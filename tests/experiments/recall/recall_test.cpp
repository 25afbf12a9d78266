// SPDX-License-Identifier: MIT
#include "experiments/recall/recall.h"

#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

json recall_cell(const json& more = json::object()) {
  json axes = {
      {"mechanism", "lightning"}, {"pairs", 4},  {"keys", 16}, {"values", 8},      {"half", 16},
      {"head_dim", 16},           {"steps", 64}, {"batch", 8}, {"test_batches", 2}};
  axes.update(more);
  return Recall().resolve(axes);
}

Outcome run_recall(const json& axes) {
  Case cell;
  cell.axes = axes;
  return Recall().run(cell);
}

std::string recall_refusal(const json& more) {
  try {
    recall_cell(more);
  } catch (const OptionError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a cell of recall trains, is scored along the way and says what chance is") {
  const Outcome outcome = run_recall(recall_cell());
  const auto& accuracy = outcome.series.at("accuracy").points;
  REQUIRE(accuracy.size() == 8);
  CHECK(accuracy.front().first == 8);
  CHECK(accuracy.back().first == 64);
  CHECK(accuracy.back().second == outcome.metrics.at("accuracy").value);
  CHECK(outcome.metrics.at("accuracy").better == Better::kHigher);
  CHECK(outcome.metrics.at("accuracy").kind == Kind::kSeeded);
  CHECK(outcome.metrics.at("chance").value == 1.0 / 8);
  CHECK(outcome.metrics.at("state_bytes").value == 4 * 16 * 16);
  CHECK(outcome.metrics.at("parameters").value == 3 * 32 * 16 + 16 * 16);
  // The same bits a second time, and other ones for another seed.
  const Outcome again = run_recall(recall_cell());
  CHECK(again.metrics.at("loss").value == outcome.metrics.at("loss").value);
  CHECK(again.series.at("accuracy").points == accuracy);
  const Outcome other = run_recall(recall_cell({{"seed", 1}}));
  CHECK(other.metrics.at("loss").value != outcome.metrics.at("loss").value);
}

TEST_CASE("four pairs are within reach of softmax attention, and beyond what mixes no tokens") {
  const json longer = {{"steps", 400}, {"batch", 16}, {"learning_rate", 1e-2}};
  const auto accuracy = [&](const std::string& mechanism) {
    json more = longer;
    more["mechanism"] = mechanism;
    return run_recall(recall_cell(more)).metrics.at("accuracy").value;
  };
  CHECK(accuracy("vanilla") > 0.95);
  CHECK(accuracy("none") < 0.3);  // chance is 1/8
}

TEST_CASE("axes of recall are checked, and a second resolve changes nothing") {
  CHECK(recall_cell().at("task") == "stacked_mqar");
  CHECK_THAT(recall_refusal({{"pairs", 17}}),
             ContainsSubstring("axis 'pairs' must be at most keys"));
  CHECK_THAT(recall_refusal({{"task", "stacked_mqr"}}), ContainsSubstring("stacked_mqar"));
  CHECK_THAT(recall_refusal({{"steps", 0}}), ContainsSubstring("axis 'steps'"));
  CHECK_THAT(recall_refusal({{"pair", 4}}), ContainsSubstring("did you mean 'pairs'?"));
  CHECK_THAT(recall_refusal({{"mechanism", "lighting"}}),
             ContainsSubstring("did you mean 'lightning'?"));
  CHECK_THAT(recall_refusal({{"device", "gpu"}}), ContainsSubstring("cuda"));
  for (const char* mechanism : {"lavo", "cosformer", "log_linear"}) {
    const json axes = recall_cell({{"mechanism", mechanism}});
    CHECK(Recall().resolve(axes) == axes);
  }
  CHECK(Recall().data_digest(recall_cell(), "") == "stacked_mqar/1");
}

TEST_CASE("a mechanism without causal self attention is refused with its reason") {
  CHECK(Recall().refused(recall_cell()).empty());
  CHECK_THAT(Recall().refused(recall_cell({{"mechanism", "nystromformer"}})),
             ContainsSubstring("causal self attention is refused"));
}

TEST_CASE("recall is listed and planned") {
  const Finished listed = run_program({"list", "experiments"});
  CHECK(listed.code == 0);
  CHECK_THAT(listed.out, ContainsSubstring("recall"));
  const Finished planned =
      run_program({"plan", source_file("experiments/sweeps/recall.toml"), "--profile", "smoke"});
  CHECK(planned.code == 0);
  CHECK_THAT(planned.out, ContainsSubstring("deltanet"));
}
