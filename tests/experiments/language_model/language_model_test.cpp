// SPDX-License-Identifier: MIT
#include "experiments/language_model/language_model.h"

#include <algorithm>
#include <cmath>

#include "baselines/table.h"
#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace lavo;

namespace {

/// A cell that trains in a fraction of a second.
json small_axes(const json& more = json::object()) {
  json axes = {{"mechanism", "local"}, {"width", 16},      {"context", 64},
               {"batch", 2},           {"steps", 30},      {"warmup", 5},
               {"test_bytes", 2048},   {"test_factor", 4}, {"learning_rate", 1e-2}};
  axes.update(more);
  return LanguageModel().resolve(axes);
}

Outcome run_model(const json& axes, const std::filesystem::path& directory) {
  Case cell;
  cell.axes = axes;
  cell.directory = directory;
  return LanguageModel().run(cell);
}

}  // namespace

TEST_CASE("a cell trains a model and scores it at every context") {
  const Scratch folder;
  const Outcome outcome = run_model(small_axes(), folder.path());
  const auto value = [&](const char* name) { return outcome.metrics.at(name).value; };
  // Thirty steps do not reach a floor, but leave the 8 bits of a model that knows nothing.
  CHECK(value("bits_per_byte") < 6);
  CHECK(value("bits_per_byte") > value("order2_bits_per_byte"));
  CHECK(outcome.notes.at("trained") == false);
  CHECK(value("order2_bits_per_byte") < value("order1_bits_per_byte"));
  CHECK(value("perplexity_per_byte") == Approx(std::exp2(value("bits_per_byte"))));
  CHECK(value("perplexity_per_word") > value("perplexity_per_byte"));
  CHECK(outcome.notes.at("bytes_scored") == 2047);

  const auto& contexts = outcome.series.at("perplexity").points;
  REQUIRE(contexts.size() == 3);
  CHECK(contexts[0].first == 64);
  CHECK(contexts[2].first == 256);
  CHECK(contexts[0].second == Approx(value("perplexity_per_byte")));
  CHECK(outcome.series.at("loss_by_offset").points.size() == 16);
  CHECK(outcome.series.at("loss_by_position").points.size() == 7);  // 0, 1, 2, 4, ... 32
  CHECK(outcome.series.at("training_loss").points.size() == 30);

  double mean = 0;  // 31 whole windows of 64 and one of 63: nearly equal weights
  for (const auto& [offset, bits] : outcome.series.at("loss_by_offset").points) mean += bits / 16;
  CHECK(mean == Approx(value("bits_per_byte")).epsilon(1e-3));
  for (const auto& [name, metric] : outcome.metrics) {
    CAPTURE(name);
    CHECK(std::isfinite(metric.value));
    CHECK(!metric.unit.empty());
  }
}

TEST_CASE("the same cell gives the same numbers bit by bit, another seed others") {
  const Scratch a, b;
  const json axes = small_axes();
  const Outcome first = run_model(axes, a.path()), second = run_model(axes, b.path());
  for (const char* name : {"bits_per_byte", "perplexity_per_word", "extrapolated_bits_per_byte"}) {
    CHECK(first.metrics.at(name).value == second.metrics.at(name).value);
  }
  for (const char* name : {"training_loss", "loss_by_chunk", "perplexity"}) {
    CHECK(first.series.at(name).points == second.series.at(name).points);
  }
  const Outcome other = run_model(small_axes({{"seed", 1}}), a.path());
  CHECK(other.metrics.at("bits_per_byte").value != first.metrics.at("bits_per_byte").value);
}

TEST_CASE("cells that differ in scoring alone share one trained model") {
  const Scratch folder;
  const Outcome first = run_model(small_axes(), folder.path());
  const Outcome longer =
      run_model(small_axes({{"test_factor", 1}, {"test_bytes", 1024}}), folder.path());
  CHECK(first.notes.at("model") == longer.notes.at("model"));
  // The time of training is the first one's: nothing was trained again.
  CHECK(first.metrics.at("training_time").value == longer.metrics.at("training_time").value);
  CHECK(run_model(small_axes({{"steps", 31}}), folder.path()).notes.at("model") !=
        first.notes.at("model"));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "models")) {
    names.push_back(entry.path().filename().string());
  }
  CHECK(names.size() == 2);  // no draft and no resume file is left
}

TEST_CASE("a tokenizer is an axis; bits per byte stay comparable") {
  const Scratch folder;
  const Outcome outcome =
      run_model(small_axes({{"tokenizer", "bpe"}, {"vocabulary", 300}}), folder.path());
  const double bits = outcome.metrics.at("bits_per_byte").value;
  CHECK(bits < 6);
  const double tokens = outcome.notes.at("tokens_scored").get<double>();
  const double bytes = outcome.notes.at("bytes_scored").get<double>();
  CHECK(tokens < 0.9 * bytes);
  CHECK(std::log2(outcome.metrics.at("perplexity_per_token").value) * tokens ==
        Approx(bits * bytes));
}

TEST_CASE("unset axes are filled for the mechanism, impossible ones refused") {
  const LanguageModel experiment;
  CHECK(small_axes({{"mechanism", "vanilla"}}).at("position_encoding") == "rope");
  CHECK(small_axes({{"mechanism", "local"}}).at("position_encoding") == "none");
  CHECK(small_axes({{"mechanism", "vanilla"}, {"window", 8}}).contains("window") == false);
  CHECK(small_axes().at("window") == 16);
  CHECK(small_axes().at("dtype") == "float32");
  CHECK(small_axes().contains("vocabulary") == false);
  CHECK_THROWS_AS(small_axes({{"heads", 3}}), OptionError);
  CHECK_THROWS_AS(small_axes({{"vocabulary", 512}}), OptionError);
  CHECK_THROWS_AS(small_axes({{"contxet", 512}}), OptionError);
  CHECK_THROWS_AS(small_axes({{"steps", 1.5}}), OptionError);
  CHECK_THROWS_AS(small_axes({{"steps", 0}}), OptionError);
  CHECK_THAT(experiment.refused(small_axes({{"position_encoding", "alibi"}})),
             ContainsSubstring("local has no logits"));
  CHECK(experiment.refused(
            small_axes({{"mechanism", "vanilla_math"}, {"position_encoding", "alibi"}})) == "");
  const json axes = small_axes();
  CHECK(experiment.resolve(axes) == axes);
}

TEST_CASE("a loss that is not finite ends the cell with its step") {
  const Scratch folder;
  const json axes = small_axes({{"learning_rate", 1e30}, {"clip", 0}, {"warmup", 0}});
  try {
    run_model(axes, folder.path());
    FAIL("a model was trained at a learning rate of 1e30");
  } catch (const CellFailure& failure) {
    CHECK(failure.status == Status::kNotFinite);
    CHECK_THAT(failure.what(), ContainsSubstring("at step") && ContainsSubstring("of 30"));
  }
}

TEST_CASE("every mechanism trains, or says why it cannot") {
  const Scratch folder;
  for (const Entry& entry : mechanisms()) {
    const json axes = small_axes({{"mechanism", entry.name}, {"steps", 8}, {"test_bytes", 600}});
    CAPTURE(axes.dump());
    const std::string reason = LanguageModel().refused(axes);
    const bool causal = entry.patterns.refusal[static_cast<size_t>(Pattern::kCausalSelf)].empty();
    CHECK(causal == reason.empty());
    if (!reason.empty()) continue;
    const Outcome outcome = run_model(axes, folder.path());
    CHECK(outcome.metrics.at("bits_per_byte").value < 8.5);
    CHECK(LanguageModel().predict(axes, json::object()).seconds > 0);
  }
}
