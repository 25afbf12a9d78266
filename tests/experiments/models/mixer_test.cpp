// SPDX-License-Identifier: MIT
#include "experiments/models/mixer.h"

#include <algorithm>

#include "baselines/table.h"
#include "experiments/models/layer_recipe.h"
#include "lavo/core/check.h"
#include "lavo/core/problem.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

constexpr int64_t kWidth = 16;

Tensor random_rows(int64_t length, uint64_t seed, int64_t batch = 2) {
  auto generator = make_generator(seed);
  return torch::randn({batch, length, kWidth}, generator, torch::kFloat64);
}

/// In float64, with every parameter off the value that it starts at.
std::shared_ptr<Mixer> make(const std::string& name, LayerOptions layer) {
  layer.width = kWidth;
  json options = json::object();
  for (const OptionInfo& info : find_mechanism(name).options) {
    if (!info.small.is_null()) options[info.name] = info.small;
    if (info.name == "max_length") options[info.name] = 64;
  }
  auto generator = make_generator(5);
  auto mixer = make_mixer({name, options}, layer, generator);
  mixer->to(torch::kFloat64);
  mixer->eval();
  torch::NoGradGuard no_grad;
  for (Tensor& p : mixer->parameters()) {
    p.add_(torch::randn(p.sizes(), generator, torch::kFloat64).mul_(0.1));
  }
  return mixer;
}

/// The layer as it is by default, with each switch alone, with all.
std::vector<LayerSwitches> switches() {
  return {{},
          {.conv = Convolution::kShort},
          {.qk_norm = QkNorm::kL2},
          {.qk_norm = QkNorm::kRms},
          {.output_gate = OutputGate::kSilu},
          {.output_norm = OutputNorm::kRms},
          {.conv = Convolution::kShort,
           .activation = Activation::kSilu,
           .qk_norm = QkNorm::kRms,
           .output_gate = OutputGate::kSilu,
           .output_norm = OutputNorm::kRms},
          {.conv = Convolution::kShortQk, .activation = Activation::kSiluQk},
          {.output_gate = OutputGate::kSigmoid, .output_norm = OutputNorm::kLayer},
          {.output_gate = OutputGate::kSelf, .output_norm = OutputNorm::kRmsAfter},
          {.output_gate = OutputGate::kLowRankSigmoid},
          {.expand_k = 0.5, .expand_v = 2.0, .qk_heads = 1},
          {.expand_k = 2.0, .expand_v = 2.0, .kv_heads = 1},
          {.conv = Convolution::kShift, .output_gate = OutputGate::kLowRank, .skip = Skip::kBonus},
          {.conv = Convolution::kShort, .skip = Skip::kValue, .expand_v = 2.0, .qk_heads = 1}};
}

/// Whether a mixer of this mechanism and pattern can have them.
bool allowed(const Entry& entry, const LayerSwitches& switches, bool cross) {
  const double expand_k = switches.expand_k.value_or(1), expand_v = switches.expand_v.value_or(1);
  if (entry.facts.equal_widths && expand_k != expand_v) return false;
  return !cross || (switches.conv != Convolution::kShift && !switches.skip);
}

struct UseOfMixer {
  std::string name;
  LayerOptions layer;
};

/// Switches act around a mechanism, whichever: each alone is tried with these.
const std::vector<std::string> kSwitched = {"vanilla", "lavo", "gla"};
constexpr size_t kAllSwitches = 6;

/// Every mechanism that can, in this pattern: plain, with the most common switches, with each
/// position, and in the layers of its paper and of all.
std::vector<UseOfMixer> uses(bool causal, bool cross) {
  std::vector<UseOfMixer> result;
  for (const Entry& entry : mechanisms()) {
    const auto pattern = static_cast<Pattern>((cross ? 2 : 0) + (causal ? 1 : 0));
    if (!entry.patterns.include(pattern)) continue;
    const LayerOptions layer{.length = 21, .causal = causal, .cross = cross};
    const bool each = std::ranges::find(kSwitched, entry.name) != kSwitched.end();
    const std::vector<LayerSwitches> all = switches();
    for (size_t i = 0; i < all.size(); ++i) {
      if ((!each && i > 0 && i != kAllSwitches) || !allowed(entry, all[i], cross)) continue;
      result.push_back({entry.name, layer});
      result.back().layer.switches = all[i];
    }
    for (const LayerKind kind : {LayerKind::kOwn, LayerKind::kEqual}) {
      if (cross && kind == LayerKind::kOwn) continue;
      result.push_back({entry.name, layer});
      result.back().layer.kind = kind;
      result.back().layer.position = position_of(kind, entry);
    }
    for (const auto position : {PositionEncoding::kRope, PositionEncoding::kAlibi}) {
      if (!position_refusal(entry, position).empty()) continue;
      result.push_back({entry.name, layer});
      result.back().layer.position = position;
    }
  }
  return result;
}

std::string shown(const UseOfMixer& use) {
  return fmt::format("{} causal {} cross {} position {} layer {} switches {}", use.name,
                     use.layer.causal, use.layer.cross, static_cast<int>(use.layer.position),
                     static_cast<int>(use.layer.kind), write_options(use.layer.switches).dump());
}

}  // namespace

TEST_CASE("every mixer agrees with its reference") {
  torch::NoGradGuard no_grad;
  for (const auto& [causal, cross] : {std::pair(true, false), {false, false}, {false, true}}) {
    for (const UseOfMixer& use : uses(causal, cross)) {
      CAPTURE(shown(use));
      const auto mixer = make(use.name, use.layer);
      MixerInput in{.x_BTM = random_rows(21, 1)};
      if (cross) in.memory_BSM = random_rows(13, 2);
      in.key_mask = torch::ones({2, in.keys().size(1)}, torch::kBool);
      in.key_mask[0].narrow(0, in.keys().size(1) - 3, 3).fill_(false);
      in.key_mask[1].narrow(0, 0, 2).fill_(false);
      const Tensor out = mixer->forward(in), expected = mixer->reference(in);
      // A query that sees no key has zeros before the output's norm and products.
      CHECK((out - expected).abs().max().item<double>() <=
            1e-9 * expected.abs().max().item<double>());
    }
  }
}

TEST_CASE("a mixer in pieces gives what the whole does, with every switch") {
  torch::NoGradGuard no_grad;
  for (const UseOfMixer& use : uses(true, false)) {
    if (!find_mechanism(use.name).facts.has_state) continue;
    CAPTURE(shown(use));
    const auto mixer = make(use.name, use.layer);
    const Tensor x = random_rows(43, 3);
    const Tensor whole = mixer->forward({.x_BTM = x});
    const auto state = mixer->new_state();
    std::vector<Tensor> pieces;
    for (int64_t begin = 0, length = 1; begin < 43; begin += length, length = 1 + begin % 9) {
      length = std::min<int64_t>(length, 43 - begin);
      pieces.push_back(mixer->forward({.x_BTM = x.narrow(1, begin, length)}, state.get()));
    }
    CHECK(state->position == 43);
    const Entry& entry = find_mechanism(use.name);
    const LayerSwitches all = filled(use.layer.switches, use.layer.kind, entry, use.layer.heads);
    CHECK((state->bytes() > 0) == (all.conv != Convolution::kNone || entry.facts.mixes));
    CHECK((torch::cat(pieces, 1) - whole).abs().max().item<double>() <=
          1e-10 * whole.abs().max().item<double>());
  }
}

TEST_CASE("a switch changes what a mixer gives, and costs parameters where it learns") {
  torch::NoGradGuard no_grad;
  const MixerInput in{.x_BTM = random_rows(12, 4)};
  const auto plain = make("vanilla", {});
  const std::vector<int64_t> learned = {0, 3 * kWidth * 4, 0, 2 * 8, kWidth * kWidth, 8};
  for (size_t i = 1; i < learned.size(); ++i) {
    CAPTURE(i);
    const auto with = make("vanilla", {.switches = switches()[i]});
    int64_t more = 0;
    for (const Tensor& p : with->parameters()) more += p.numel();
    for (const Tensor& p : plain->parameters()) more -= p.numel();
    CHECK(more == learned[i]);
    CHECK((with->forward(in) - plain->forward(in)).abs().max().item<double>() > 1e-3);
  }
  CHECK(make("vanilla", {.switches = switches()[4]})->cost(1, 9, 9).flop >
        plain->cost(1, 9, 9).flop);
}

TEST_CASE("layers of a kind: own is the paper's, equal the same of all, and what is given wins") {
  int own = 0;
  const json equal = layer_recipe(LayerKind::kEqual, find_mechanism("vanilla"), 2);
  for (const Entry& entry : mechanisms()) {
    CAPTURE(entry.name);
    const json plain = layer_recipe(LayerKind::kPlain, entry, 2);
    CHECK(plain.at("conv") == "none");
    CHECK(layer_recipe(LayerKind::kEqual, entry, 2) == equal);
    const json paper = layer_recipe(LayerKind::kOwn, entry, 2);
    CHECK(paper.size() == plain.size());
    own += paper != plain;
    const LayerSwitches given{.output_gate = OutputGate::kSigmoid};
    for (const LayerKind kind : {LayerKind::kPlain, LayerKind::kOwn, LayerKind::kEqual}) {
      CHECK(filled(given, kind, entry, 2).output_gate == OutputGate::kSigmoid);
    }
  }
  CHECK(own >= 11);
  Entry wrong = find_mechanism("vanilla");
  wrong.layer = {{"convolution", "short"}};
  CHECK_THROWS_AS(filled({}, LayerKind::kOwn, wrong, 2), OptionError);
}

TEST_CASE("widths and heads that do not go together are refused, naming what was given") {
  const auto refusal = [](const LayerSwitches& switches) -> std::string {
    try {
      make("gla", {.switches = switches});
    } catch (const OptionError& error) {
      return error.what();
    }
    return "";
  };
  CHECK_THAT(refusal({.qk_heads = 3}), ContainsSubstring("qk_heads 3"));
  CHECK_THAT(refusal({.qk_heads = 1, .kv_heads = 1}), ContainsSubstring("both below heads 2"));
  CHECK_THAT(refusal({.expand_k = 0.3}), ContainsSubstring("expand_k 0.3"));
  CHECK_THAT(refusal({.skip = Skip::kBonus, .kv_heads = 1}), ContainsSubstring("bonus"));
  CHECK_THROWS_AS(make("lavo", {.switches = {.expand_v = 2.0}}), OptionError);
}

TEST_CASE("mixers are found by name, and others stand beside the mechanisms") {
  auto generator = make_generator(1);
  try {
    make_mixer({"locla", json::object()}, {}, generator);
    FAIL("made");
  } catch (const OptionError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("did you mean 'local'"));
  }
  MixerEntry taken;
  taken.name = "local";
  CHECK_THROWS_AS(add_mixer(taken), OptionError);
  const auto cross = make("vanilla", {.causal = false, .cross = true});
  CHECK_THROWS_AS(cross->forward({.x_BTM = random_rows(4, 1)}), ShapeError);
  const auto self = make("vanilla", {});
  CHECK_THROWS_AS(self->forward({.x_BTM = random_rows(4, 1), .memory_BSM = random_rows(4, 1)}),
                  ShapeError);
}

namespace {

/// Declares an input of each kind that a layer makes, and gives back what the layer made of them.
class Declaring final : public MechanismOf<Declaring> {
 public:
  static constexpr auto kName = "declaring";
  static constexpr auto kTitle = "a mechanism that declares inputs";
  static constexpr auto kCitation = "an example";
  static constexpr auto kGroup = "controls";
  struct Options {
    int64_t slots = 3;
    void visit(OptionVisitor& v) { v.integer("slots", slots, between(1, 9), "M"); }
    void validate() const {}
    void resolve(const Setting&) {}
  };
  static Patterns supported() { return {}; }

  Declaring(const Options&, const Setting&, at::Generator&) {}
  std::vector<InputSpec> inputs() const override {
    const auto squash = [](const Tensor& raw, const Tensor& scale) {
      return torch::sigmoid(raw) * scale;
    };
    const auto twice = [](const Tensor&, const Inputs& so_far) { return 2 * so_far["write"]; };
    return {{.name = "gate",
             .letters = "BHSD",
             .meaning = "a number a channel",
             .draw = normal(),
             .layer = {.rank = 2, .squash = squash, .start = constant(1), .scale = constant(0.5)}},
            {.name = "write",
             .letters = "BHSM",
             .meaning = "a number a slot",
             .draw = normal(),
             .layer = {.join =
                           [](const Tensor& raw, const Inputs& so_far) {
                             return raw * so_far["gate"].narrow(3, 0, 1) +
                                    so_far.key.narrow(3, 0, 1);
                           }},
             .count_option = "slots"},
            {.name = "bonus",
             .letters = "HD",
             .meaning = "a number a channel, whatever the token",
             .draw = normal(),
             .layer = {.kind = LayerRule::Kind::kLearned, .start = constant(2)}},
            {.name = "echo",
             .letters = "BHSM",
             .meaning = "what it writes, twice",
             .draw = normal(),
             .layer = {.kind = LayerRule::Kind::kDerived, .join = twice},
             .count_option = "slots"}};
  }
  std::unique_ptr<State> new_state() const override { throw OptionError("declaring: no state"); }
  Cost cost(const Shape&, Pattern) const override { return {}; }

 protected:
  Tensor attend(const Inputs& in, State*) override {
    return in.value * in["gate"] * in["bonus"].unsqueeze(1) +
           (in["write"] + in["echo"]).sum(-1, true);
  }
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>&) override {
    return attend(in, nullptr);
  }
};

}  // namespace

TEST_CASE(
    "a layer makes what its mechanism declares: projected, through a rank, learned, joined, or "
    "derived") {
  add_mechanism(row<Declaring>());
  torch::NoGradGuard no_grad;
  const auto mixer = make("declaring", {.causal = false});
  auto parameters = mixer->named_parameters();
  CHECK(parameters["gate_down_weight"].sizes() == at::IntArrayRef({2, kWidth}));
  CHECK(parameters["gate_weight"].sizes() == at::IntArrayRef({kWidth, 2}));
  CHECK(parameters["gate_bias"].sizes() == at::IntArrayRef({kWidth}));
  CHECK(parameters["gate_scale"].sizes() == at::IntArrayRef({2}));
  CHECK(parameters["write_weight"].sizes() == at::IntArrayRef({2 * 3, kWidth}));
  CHECK(parameters["bonus"].sizes() == at::IntArrayRef({2, 8}));

  const Tensor x = random_rows(5, 9);
  const auto of = [&](const char* name) { return parameters[name]; };
  const Tensor raw =
      at::linear(at::linear(x, of("gate_down_weight")), of("gate_weight"), of("gate_bias"));
  const Tensor gate = torch::sigmoid(raw.view({2, 5, 2, 8})) * of("gate_scale").view({1, 1, 2, 1});
  const auto projected = [&](int64_t part) {
    return at::linear(x, of("input_weight").narrow(0, part * kWidth, kWidth),
                      of("input_bias").narrow(0, part * kWidth, kWidth))
        .view({2, 5, 2, 8});
  };
  const Tensor write = at::linear(x, of("write_weight"), of("write_bias")).view({2, 5, 2, 3}) *
                           gate.narrow(3, 0, 1) +
                       projected(1).narrow(3, 0, 1);
  const Tensor heads = projected(2) * gate * of("bonus") + 3 * write.sum(-1, true);
  const Tensor expected = at::linear(heads.flatten(2), of("output_weight"), of("output_bias"));
  CHECK((mixer->forward({.x_BTM = x}) - expected).abs().max().item<double>() < 1e-12);
  CHECK((mixer->reference({.x_BTM = x}) - expected).abs().max().item<double>() < 1e-12);
}
