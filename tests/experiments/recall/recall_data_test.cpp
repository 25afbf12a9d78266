// SPDX-License-Identifier: MIT
#include "experiments/recall/recall_data.h"

#include <cmath>
#include <map>
#include <set>

#include "tests/support/catch.h"

using namespace lavo;

namespace {

const RecallTask& stacked_mqar() { return recall_tasks().at(0); }

RecallData recall_data(uint64_t seed, const RecallSizes& sizes = {}) {
  return {stacked_mqar(), sizes, /*half=*/64, seed};
}

/// What a position shows first: its key.
Tensor keys_shown(const Tensor& x_BTX) { return x_BTX.narrow(2, 0, 64); }
Tensor values_shown(const Tensor& x_BTX) { return x_BTX.narrow(2, 64, 64); }

/// Certain of the value beside the earlier position whose key is the nearest.
Tensor solver_says(const RecallBatch& batch, const Tensor& value_embedding) {
  const Tensor key = keys_shown(batch.x_BTX), value = values_shown(batch.x_BTX);
  const Tensor earlier = torch::matmul(key, key.transpose(1, 2))
                             .masked_fill(torch::ones({key.size(1), key.size(1)}).triu() != 0, -2);
  const Tensor nearest = earlier.argmax(2).unsqueeze(2).expand_as(value);
  const Tensor found = value.gather(1, nearest).flatten(0, 1).index_select(0, batch.asked);
  return 1000 * torch::matmul(found, value_embedding.t());
}

}  // namespace

TEST_CASE("stacked MQAR gives N different keys, then asks for each once") {
  const RecallSizes sizes{.pairs = 20, .keys = 24, .values = 7};
  for (const uint64_t seed : {0, 1, 2, 3, 4}) {
    const auto sequence = stacked_mqar().draw(sizes, seed);
    REQUIRE(sequence.size() == 40);
    CHECK(static_cast<int64_t>(sequence.size()) == stacked_mqar().length(sizes));
    std::map<int64_t, int64_t> given;
    for (size_t t = 0; t < 20; ++t) {
      CHECK(sequence[t].answer == kNothing);
      CHECK((sequence[t].key >= 0 && sequence[t].key < 24));
      CHECK((sequence[t].value >= 0 && sequence[t].value < 7));
      given[sequence[t].key] = sequence[t].value;
    }
    CHECK(given.size() == 20);
    for (size_t t = 20; t < 40; ++t) {
      CHECK(sequence[t].value == kNothing);
      REQUIRE(given.contains(sequence[t].key));
      CHECK(sequence[t].answer == given[sequence[t].key]);
      given.erase(sequence[t].key);
    }
    CHECK(given.empty());
  }
}

TEST_CASE("keys, values and the order of the questions are uniform") {
  const RecallSizes sizes{.pairs = 4, .keys = 8, .values = 4};
  constexpr int kDrawn = 4000;
  std::map<int64_t, int> keys, values;
  int same_order = 0;
  for (uint64_t seed = 0; seed < kDrawn; ++seed) {
    const auto sequence = stacked_mqar().draw(sizes, seed);
    ++keys[sequence[0].key];
    ++values[sequence[0].value];
    same_order += sequence[0].key == sequence[4].key;
  }
  const auto fits = [](int count, double probability) {
    const double deviation = std::sqrt(kDrawn * probability * (1 - probability));
    return std::abs(count - kDrawn * probability) < 5 * deviation;
  };
  for (int64_t key = 0; key < 8; ++key) CHECK(fits(keys[key], 1.0 / 8));
  for (int64_t value = 0; value < 4; ++value) CHECK(fits(values[value], 1.0 / 4));
  CHECK(fits(same_order, 1.0 / 4));
}

TEST_CASE("a batch shows unit vectors, and nothing in the place of the value that is asked for") {
  const RecallData source = recall_data(5, {.pairs = 6});
  const RecallBatch batch = source.training_batch(0, 3);
  CHECK(batch.x_BTX.sizes() == at::IntArrayRef({3, 12, 128}));
  CHECK(batch.x_BTX.scalar_type() == torch::kFloat32);
  const Tensor expected =
      torch::cat({torch::arange(6, 12), torch::arange(18, 24), torch::arange(30, 36)});
  CHECK(batch.asked.equal(expected));
  CHECK(torch::allclose(keys_shown(batch.x_BTX).norm(2, 2), torch::ones({3, 12})));
  CHECK(torch::allclose(values_shown(batch.x_BTX).narrow(1, 0, 6).norm(2, 2), torch::ones({3, 6})));
  CHECK(values_shown(batch.x_BTX).narrow(1, 6, 6).abs().max().item<float>() == 0);
  CHECK(source.value_embedding().sizes() == at::IntArrayRef({256, 64}));
}

TEST_CASE("a seed gives the same bits every time; seeds, batches, training and test differ") {
  const RecallBatch first = recall_data(3).training_batch(0, 4);
  const auto same = [&](const RecallBatch& other) {
    return first.x_BTX.equal(other.x_BTX) && first.answer.equal(other.answer);
  };
  CHECK(same(recall_data(3).training_batch(0, 4)));
  CHECK_FALSE(same(recall_data(4).training_batch(0, 4)));
  CHECK_FALSE(same(recall_data(3).training_batch(1, 4)));
  CHECK_FALSE(same(recall_data(3).test_batch(0, 4)));
  // Sequence r is the same however they are divided into batches.
  const RecallBatch second_half = recall_data(3).training_batch(1, 2);
  CHECK(second_half.x_BTX.equal(first.x_BTX.narrow(0, 2, 2)));
}

TEST_CASE("training and test share no sequence of a thousand") {
  const RecallData source = recall_data(3, {.pairs = 8});
  std::set<std::vector<float>> seen;
  const auto add = [&](const RecallBatch& batch) {
    for (int64_t row = 0; row < batch.x_BTX.size(0); ++row) {
      const Tensor keys = batch.x_BTX[row].select(1, 0).contiguous();
      seen.emplace(keys.data_ptr<float>(), keys.data_ptr<float>() + keys.numel());
    }
  };
  add(source.training_batch(0, 500));
  add(source.test_batch(0, 500));
  CHECK(seen.size() == 1000);
}

TEST_CASE("a solver by hand scores 1, a guesser chance") {
  const RecallData source = recall_data(7);
  const RecallScore solver = source.score(
      [&](const RecallBatch& batch) { return solver_says(batch, source.value_embedding()); }, 4,
      16);
  CHECK(solver.accuracy == 1);
  CHECK(solver.bits < 1e-6);
  const RecallScore guesser = source.score(
      [](const RecallBatch& batch) {
        return torch::one_hot(torch::zeros_like(batch.answer), 256).to(torch::kFloat32);
      },
      16, 16);
  constexpr double kChance = 1.0 / 256, kAnswers = 16 * 16 * 64;
  CHECK(std::abs(guesser.accuracy - kChance) < 4 * std::sqrt(kChance * (1 - kChance) / kAnswers));
  const RecallScore ignorant = source.score(
      [](const RecallBatch& batch) {
        return torch::zeros({batch.answer.size(0), 256});
      },
      1, 16);
  CHECK(ignorant.bits == Approx(8));
}
