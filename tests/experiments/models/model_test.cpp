// SPDX-License-Identifier: MIT
#include "experiments/models/model.h"

#include "baselines/table.h"
#include "experiments/models/trainer.h"
#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

constexpr int64_t kModelTokens = 16, kModelWidth = 16;

json mechanism_options(const std::string& name) {
  json options = json::object();
  for (const OptionInfo& info : find_mechanism(name).options) {
    if (info.name == "max_length") options[info.name] = 64;
  }
  return options;
}

ModelOptions options_of(const std::vector<std::string>& mixers, bool causal = true) {
  ModelOptions o{.embedding = {.inputs = 32, .width = kModelWidth},
                 .backbone = {.layer = {.width = kModelWidth, .causal = causal}},
                 .head = {.outputs = 32, .width = kModelWidth}};
  for (const std::string& name : mixers) {
    o.backbone.mixers.push_back({name, mechanism_options(name)});
  }
  return o;
}

std::shared_ptr<Model> make_model(const ModelOptions& options) {
  auto model = std::make_shared<Model>(options, 5);
  model->to(torch::kFloat64);
  model->eval();
  return model;
}

Tensor some_tokens(int64_t length, uint64_t seed = 3, int64_t batch = 2) {
  auto generator = make_generator(seed);
  return torch::randint(32, {batch, length}, generator, torch::kLong);
}

double most(const Tensor& x) { return x.abs().max().item<double>(); }

/// A mixer from outside: the mean of the tokens so far.
class MeanMixer final : public Mixer {
 public:
  Tensor forward(const MixerInput& in, State*) override {
    return in.x_BTM.cumsum(1) / torch::arange(1, in.x_BTM.size(1) + 1).view({1, -1, 1});
  }
  Tensor reference(const MixerInput& in) override { return forward(in, nullptr); }
  std::unique_ptr<State> new_state() const override { throw OptionError("mean mixer: no state"); }
  Cost cost(int64_t, int64_t, int64_t) const override { return {}; }
};

}  // namespace

TEST_CASE("a padded batch gives its real tokens what they give alone, through the whole model") {
  torch::NoGradGuard no_grad;
  const bool causal = GENERATE(false, true);
  for (const Entry& entry : mechanisms()) {
    const auto pattern = causal ? Pattern::kCausalSelf : Pattern::kNoncausalSelf;
    if (!entry.patterns.include(pattern)) continue;
    CAPTURE(entry.name, causal);
    ModelOptions options = options_of({entry.name, entry.name}, causal);
    options.backbone.layer.switches.conv = Convolution::kShort;
    options.backbone.layer.position = default_position(entry);
    const auto model = make_model(options);
    // Nystroemformer's landmarks are means of segments of the padded length: they must be as long.
    const int64_t real = entry.name == "nystromformer" ? kModelTokens : 11;
    const Tensor alone = some_tokens(real, 4, 1);
    Tensor padded = some_tokens(kModelTokens, 6);
    padded[1].narrow(0, 0, real).copy_(alone[0]);
    Tensor mask = torch::ones({2, kModelTokens}, torch::kBool);
    mask[1].narrow(0, real, kModelTokens - real).fill_(false);
    const Tensor expected = model->forward(alone)[0];
    const Tensor got = model->forward({.input = padded, .mask = mask})[1].narrow(0, 0, real);
    CHECK(most(got - expected) <= 1e-11 * most(expected));
    if (real == kModelTokens) continue;
    Tensor other = padded.clone();
    other[1].narrow(0, real, kModelTokens - real).add_(5).remainder_(32);
    CHECK(model->forward({.input = other, .mask = mask})[1].narrow(0, 0, real).equal(got));
    if (!causal && entry.name != "local") {
      const double moved = most(model->forward(padded)[1].narrow(0, 0, real) - expected);
      CHECK((moved > 1e-6) == entry.facts.mixes);
    }
  }
}

TEST_CASE("a hybrid is a list: each block has its own mixer, streamed and causal like any") {
  torch::NoGradGuard no_grad;
  const auto model = make_model(options_of({"local", "linear", "lavo"}));
  const auto parameters = model->named_parameters();
  CHECK_FALSE(parameters.contains("layer1.attention.mechanism.bases"));
  const Tensor tokens = some_tokens(40);
  const Tensor whole = model->forward(tokens);
  CHECK(most(make_model(options_of({"linear", "local", "lavo"}))->forward(tokens) - whole) > 1e-3);
  StreamState state = model->new_state();
  std::vector<Tensor> pieces;
  for (int64_t begin = 0; begin < 40; begin += 8) {
    pieces.push_back(model->forward(tokens.narrow(1, begin, 8), state));
  }
  CHECK(most(torch::cat(pieces, 1) - whole) <= 1e-11 * most(whole));
  CHECK(model->forward(tokens.narrow(1, 0, 17)).allclose(whole.narrow(1, 0, 17), 0, 1e-11));
}

TEST_CASE("a mixer that was added stands in a hybrid") {
  add_mixer({.name = "mean_mixer",
             .title = "mean of the tokens",
             .citation = "an example",
             .options = {},
             .create = [](const json&, const LayerOptions&, at::Generator&) {
               return std::make_shared<MeanMixer>();
             }});
  CHECK(added_mixers().back().name == "mean_mixer");
  ModelOptions options = options_of({"local"});
  options.backbone.mixers.push_back({"mean_mixer", json::object()});
  const auto model = make_model(options);
  CHECK(model->forward(some_tokens(9)).sizes() == at::IntArrayRef({2, 9, 32}));
  CHECK_THROWS_AS(model->new_state(), OptionError);
}

TEST_CASE("cross mixers see the memory's real tokens and nothing else") {
  torch::NoGradGuard no_grad;
  ModelOptions options = options_of({"local", "local"});
  options.backbone.cross = {"vanilla", json::object()};
  const auto model = make_model(options);
  auto generator = make_generator(8);
  ModelInput in{.input = some_tokens(12),
                .memory_BSM = torch::randn({2, 7, kModelWidth}, generator, torch::kFloat64)};
  const Tensor before = model->forward(in);
  ModelInput longer = in;
  longer.memory_BSM =
      torch::cat({in.memory_BSM, torch::full({2, 3, kModelWidth}, 9.0, torch::kFloat64)}, 1);
  CHECK(most(model->forward(longer) - before) > 1e-3);
  longer.memory_mask = torch::arange(10).lt(7).expand({2, 10});
  CHECK(most(model->forward(longer) - before) <= 1e-12 * most(before));
  in.memory_BSM = in.memory_BSM + 1;
  CHECK(most(model->forward(in) - before) > 1e-3);
}

TEST_CASE("each head gives what its task asks for") {
  torch::NoGradGuard no_grad;
  ModelOptions options = options_of({"vanilla"}, /*causal=*/false);
  options.head.outputs = 3;
  const Tensor tokens = some_tokens(10);
  const Tensor mask = torch::arange(10).lt(6).expand({2, 10});
  const auto output = [&](HeadKind kind) {
    options.head.kind = kind;
    return make_model(options)->forward({.input = tokens, .mask = mask});
  };
  const Tensor of_tokens = output(HeadKind::kClasses);
  CHECK(of_tokens.sizes() == at::IntArrayRef({2, 10, 3}));
  CHECK(output(HeadKind::kVocabulary).equal(of_tokens));
  CHECK(output(HeadKind::kRegression).equal(of_tokens));
  // The map is linear: of the mean over the real tokens it is the mean of what they give.
  const Tensor of_sequence = output(HeadKind::kSequenceClass);
  CHECK(most(of_sequence - of_tokens.narrow(1, 0, 6).mean(1)) < 1e-12);
  options.head.points = 4;
  CHECK(output(HeadKind::kPoints).sizes() == at::IntArrayRef({2, 40, 3}));
}

TEST_CASE("the trainer trains any task: numbers in, numbers out, another loss") {
  /// The running sum of a series of numbers.
  struct Sums final : Task {
    struct Source final : BatchSource {
      BatchOptions o;
      int64_t index = 0;
      Batch next() override {
        auto generator = make_generator(mix(o.seed) ^ static_cast<uint64_t>(index++));
        const Tensor x = torch::randn({o.batch, o.context, 1}, generator, torch::kFloat32);
        return {{.input = x}, x.cumsum(1)};
      }
    };
    std::string digest() const override { return "sums"; }
    std::unique_ptr<BatchSource> batches(const BatchOptions& options, torch::Device,
                                         int64_t first) const override {
      auto source = std::make_unique<Source>();
      source->o = options;
      source->index = first;
      return source;
    }
    Tensor loss(Model& model, const Batch& batch) const override {
      return (model.forward(batch.input) - batch.target).square().mean();
    }
    Outcome scores(Model&, const Progress&) const override { return {}; }
  };
  ModelOptions options = options_of({"linear"});
  options.embedding = {.kind = EmbeddingKind::kLinear, .inputs = 1, .width = kModelWidth};
  options.head.kind = HeadKind::kRegression;
  options.head.outputs = 1;
  Model model(options, 2);
  const std::vector<float> losses =
      train(model, Sums(),
            {.steps = 200, .batch = 16, .context = 8, .warmup = 5, .learning_rate = 1e-2})
          .losses;
  CHECK(losses.front() > 2);  // the sums' mean square is 4.5
  CHECK(losses.back() < 1);
}
