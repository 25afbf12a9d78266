// SPDX-License-Identifier: MIT
// What CONTRIBUTING.md shows, added as its reader would: from here on it is in the tables.
#include <algorithm>

#include "baselines/fade.h"
#include "baselines/table.h"
#include "experiments/first_token/first_token_task.h"
#include "experiments/models/token_shift.h"
#include "experiments/models/trainer.h"
#include "lavo/core/random.h"
#include "tests/support/catch.h"
#include "tests/support/main.h"

using namespace lavo;

namespace {

void add_examples() {
  for (Entry& entry : std::vector<Entry>{
#include "baselines/table.cpp.part"
       }) {
    add_mechanism(std::move(entry));
  }
  for (MixerEntry& entry : std::vector<MixerEntry>{
#include "experiments/models/mixer.cpp.part"
       }) {
    add_mixer(std::move(entry));
  }
}

const bool hooked = (before_tests().push_back(add_examples), true);

constexpr int64_t kWidth = 8;

std::shared_ptr<Mixer> token_shift() {
  auto generator = make_generator(3);
  auto mixer = make_mixer({"token_shift"}, {.width = kWidth}, generator);
  mixer->to(torch::kFloat64);
  return mixer;
}

}  // namespace

TEST_CASE("the page's mixer agrees with its reference, in pieces too, and padding is hidden") {
  torch::NoGradGuard no_grad;
  auto generator = make_generator(4);
  MixerInput in{.x_BTM = torch::randn({2, 9, kWidth}, generator, torch::kFloat64)};
  const auto mixer = token_shift();
  CHECK(mixer->forward(in).allclose(mixer->reference(in), 1e-12, 1e-12));

  const auto state = mixer->new_state();
  Tensor pieces = mixer->forward({.x_BTM = in.x_BTM.narrow(1, 0, 4)}, state.get());
  pieces =
      torch::cat({pieces, mixer->forward({.x_BTM = in.x_BTM.narrow(1, 4, 5)}, state.get())}, 1);
  CHECK(state->position == 9);
  CHECK(pieces.equal(mixer->forward(in)));

  in.key_mask = torch::ones({2, 9}, torch::kBool);
  in.key_mask.index_put_({1, 5}, false);
  const Tensor hidden = mixer->forward(in);
  CHECK(hidden.allclose(mixer->reference(in), 1e-12, 1e-12));
  in.x_BTM.index_put_({1, 5}, 100.0);
  CHECK(hidden.equal(mixer->forward(in)));
}

TEST_CASE("the page's task trains a model of the page's mechanism and mixer") {
  const FirstTokenTask task(4);
  Model model(
      {.embedding = {.inputs = 4, .width = 32},
       .backbone = {.layer = {.width = 32, .heads = 2}, .mixers = {{"token_shift"}, {"fade"}}},
       .head = {.kind = HeadKind::kClasses, .outputs = 4, .width = 32}},
      5);
  const auto quiet = [](const std::string&) {};
  const double before = task.scores(model, quiet).metrics.at("accuracy").value;
  const TrainingResult trained =
      train(model, task, {.steps = 150, .batch = 16, .context = 16, .warmup = 10});
  CHECK(trained.losses.back() < trained.losses.front() / 2);
  const double after = task.scores(model, quiet).metrics.at("accuracy").value;
  CHECK(before < 0.5);
  CHECK(after > 0.9);
}
