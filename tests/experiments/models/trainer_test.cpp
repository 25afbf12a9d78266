// SPDX-License-Identifier: MIT
#include "experiments/models/trainer.h"

#include <cmath>

#include "baselines/table.h"
#include "experiments/language_model/text_task.h"
#include "experiments/models/checkpoint.h"
#include "experiments/models/transformer.h"
#include "lavo/core/check.h"
#include "reports/records/outcome.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace lavo;

namespace {

struct Interrupted {};

std::shared_ptr<const Corpus> corpus_of(const std::string& text) {
  auto corpus = std::make_shared<Corpus>();
  corpus->documents[static_cast<size_t>(Split::kTrain)] = {{"text", text, nullptr}};
  return corpus;
}

/// A small training of its own, from the start.
struct Run {
  std::string text;
  TextTask task;
  Transformer model;
  TrainingOptions options;

  explicit Run(int64_t steps, const std::string& mechanism = "local",
               const json& mechanism_options = json::object())
      : text([] {
          std::string t;
          for (int i = 0; i < 400; ++i) t += "the " + std::to_string(i * i % 97) + " cats; ";
          return t;
        }()),
        task(corpus_of(text), Tokenizer(), {}),
        model({.mechanism = mechanism,
               .position_encoding = PositionEncoding::kNone,
               .layers = 1,
               .width = 16,
               .context = 32},
              mechanism_options, 1),
        options{.steps = steps,
                .batch = 2,
                .context = 32,
                .warmup = 5,
                .learning_rate = 1e-2,
                .seed = 4} {}
  TrainingResult train(const TrainingHooks& hooks = {}) {
    return lavo::train(model, task, options, hooks);
  }
};

}  // namespace

TEST_CASE("training lowers the loss, and the same seed gives the same curve bit by bit") {
  Run a(120), b(120);
  const std::vector<float> losses = a.train().losses;
  REQUIRE(losses.size() == 120);
  CHECK(losses.front() > 5);  // ln 256 = 5.5 and a little
  CHECK(losses.back() < 2.5);
  CHECK(b.train().losses == losses);
  Run other(120);
  other.options.seed = 5;
  CHECK(other.train().losses != losses);
}

TEST_CASE("training that was cut off goes on to the same curve and the same weights") {
  for (const Entry& entry : mechanisms()) {
    if (!entry.patterns.include(Pattern::kCausalSelf)) continue;
    CAPTURE(entry.name);
    json options = json::object();
    for (const OptionInfo& info : entry.options) {
      if (info.name == "max_length") options[info.name] = 32;
      if (info.name == "redraw_interval") options[info.name] = 25;  // on both sides of the cut
    }
    const Scratch folder;
    Run whole(60, entry.name, options);
    const std::vector<float> losses = whole.train().losses;

    const TrainingHooks hooks{.report =
                                  [](int64_t first, std::span<const float>, double) {
                                    if (first >= 40) throw Interrupted();
                                  },
                              .resume = folder.path() / "resume.safetensors",
                              .save_every_s = 0};
    Run cut(60, entry.name, options);
    CHECK_THROWS_AS(cut.train(hooks), Interrupted);
    REQUIRE(std::filesystem::exists(hooks.resume));

    Run resumed(60, entry.name, options);
    int64_t first_reported = -1;
    const TrainingHooks later{.report =
                                  [&](int64_t first, std::span<const float>, double) {
                                    if (first_reported < 0) first_reported = first;
                                  },
                              .resume = hooks.resume};
    CHECK(resumed.train(later).losses == losses);
    CHECK(first_reported == 40);
    const auto expected = whole.model.named_parameters();
    for (const auto& item : resumed.model.named_parameters()) {
      CAPTURE(item.key());
      CHECK(item.value().equal(expected[item.key()]));
    }
  }
}

TEST_CASE("accumulated passes have the gradients of the larger batch") {
  // AdamW's step hides a gradient's scale, so the moments are compared: with a learning rate of
  // almost nothing they are sums over the same weights, and a divisor off by one moves them by 1/4.
  const Scratch folder;
  const auto moments = [&](int64_t batch, int64_t accumulate) {
    Run run(21);
    run.options.batch = batch;
    run.options.accumulate = accumulate;
    run.options.learning_rate = 1e-9;
    run.options.optimizer.clip = 0;
    const auto file = folder.path() / fmt::format("{}.safetensors", batch);
    run.train({.resume = file, .save_every_s = 0});
    return read_safetensors(file);
  };
  const NamedTensors parts = moments(2, 4), whole = moments(8, 1);
  for (const auto& [name, expected] : whole) {
    if (!name.starts_with("adam.mean.") && !name.starts_with("adam.square.")) continue;
    CAPTURE(name);
    CHECK((parts.at(name) - expected).norm().item<double>() <=
          1e-4 * expected.norm().item<double>() + 1e-9);
  }
  CHECK(parts.at("losses").sub(whole.at("losses")).abs().max().item<double>() < 1e-5);
}

TEST_CASE("a loss that is not finite ends training with its step") {
  Run run(50);
  run.options.learning_rate = 1e30;
  run.options.warmup = 0;
  run.options.optimizer.clip = 0;
  try {
    run.train();
    FAIL("trained");
  } catch (const CellFailure& failure) {
    CHECK(failure.status == Status::kNotFinite);
    CHECK_THAT(failure.what(), ContainsSubstring("at step") && ContainsSubstring("of 50"));
  }
}

TEST_CASE("bfloat16 autocast trains to about the same loss") {
  Run exact(60), rounded(60);
  rounded.options.autocast = true;
  const auto mean_of_last = [](const std::vector<float>& losses) {
    double sum = 0;
    for (size_t i = 50; i < 60; ++i) sum += losses[i] / 10;
    return sum;
  };
  const std::vector<float> of_exact = exact.train().losses, of_rounded = rounded.train().losses;
  CHECK(std::abs(mean_of_last(of_exact) - mean_of_last(of_rounded)) < 0.3);
  // Products of 8 bits: the first loss, of the same weights, is not that of float32 and near it.
  CHECK(of_rounded[0] != of_exact[0]);
  CHECK(std::abs(of_rounded[0] - of_exact[0]) < of_exact[0] / 256);
  for (const Tensor& p : rounded.model.parameters()) CHECK(p.scalar_type() == torch::kFloat32);
}

TEST_CASE("AdamW as its paper writes it, with clipping") {
  struct Module : torch::nn::Module {
    Tensor weight = register_parameter("some_weight", torch::tensor({{1.0F, -2.0F}}));
    Tensor bias = register_parameter("bias", torch::tensor({0.5F}));
  } module;
  const bool all = GENERATE(false, true);
  const OptimizerOptions o{.weight_decay = 0.1, .clip = 1, .decays_all = all};
  AdamW optimizer(module, o);
  const double rate = 0.01;
  double weight[] = {1, -2, 0.5}, mean[3] = {}, square[3] = {};
  for (int step = 1; step <= 3; ++step) {
    const double gradient[] = {3.0 * step, -1, 0.25};
    module.weight.mutable_grad() =
        torch::tensor({{static_cast<float>(gradient[0]), static_cast<float>(gradient[1])}});
    module.bias.mutable_grad() = torch::tensor({static_cast<float>(gradient[2])});
    optimizer.step(rate);
    double norm = 0;
    for (const double g : gradient) norm += g * g;
    const double factor = std::min(1.0, 1 / (std::sqrt(norm) + 1e-6));
    for (int i = 0; i < 3; ++i) {
      const double g = gradient[i] * factor;
      mean[i] = o.beta1 * mean[i] + (1 - o.beta1) * g;
      square[i] = o.beta2 * square[i] + (1 - o.beta2) * g * g;
      const double m = mean[i] / (1 - std::pow(o.beta1, step));
      const double s = square[i] / (1 - std::pow(o.beta2, step));
      const double decay = all || i < 2 ? o.weight_decay : 0;
      weight[i] -= rate * (m / (std::sqrt(s) + o.epsilon) + decay * weight[i]);
    }
    CHECK(module.weight[0][0].item<float>() == Approx(weight[0]).epsilon(1e-5));
    CHECK(module.weight[0][1].item<float>() == Approx(weight[1]).epsilon(1e-5));
    CHECK(module.bias[0].item<float>() == Approx(weight[2]).epsilon(1e-5));
    CHECK_FALSE(module.weight.grad().defined());
  }
}

TEST_CASE("the learning rate rises linearly and falls as a cosine to a twentieth") {
  CHECK(scheduled_rate(1, 0, 10, 110) == Approx(0.1));
  CHECK(scheduled_rate(1, 9, 10, 110) == Approx(1));
  CHECK(scheduled_rate(1, 10, 10, 110) == Approx(1));
  CHECK(scheduled_rate(1, 60, 10, 110) == Approx(0.525));
  CHECK(scheduled_rate(1, 110, 10, 110) == Approx(0.05));
  CHECK(scheduled_rate(2, 0, 0, 1) == Approx(2));
}
