// SPDX-License-Identifier: MIT
#include "experiments/models/transformer.h"

#include <algorithm>

#include "baselines/table.h"
#include "experiments/models/checkpoint.h"
#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

constexpr int64_t kContext = 48;

std::shared_ptr<Transformer> small_model(const std::string& mechanism, PositionEncoding position,
                                         int64_t layers = 2, int64_t context = kContext) {
  const Entry& entry = find_mechanism(mechanism);
  json options = json::object();
  if (std::ranges::find(entry.options, "max_length", &OptionInfo::name) != entry.options.end()) {
    options["max_length"] = 2 * context;
  }
  const TransformerOptions o{.mechanism = mechanism,
                             .position_encoding = position,
                             .vocabulary = 32,
                             .layers = layers,
                             .width = 16,
                             .heads = 2,
                             .context = context};
  auto model = std::make_shared<Transformer>(o, options, /*seed=*/5);
  model->to(torch::kFloat64);
  model->eval();
  return model;
}

Tensor random_tokens(int64_t length, uint64_t seed = 3) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randint(32, {2, length}, generator, torch::kLong);
}

double largest(const Tensor& x) { return x.abs().max().item<double>(); }

/// Every causal mechanism with every encoding that it can have.
std::vector<std::pair<std::string, PositionEncoding>> combinations() {
  std::vector<std::pair<std::string, PositionEncoding>> result;
  for (const Entry& entry : mechanisms()) {
    if (!entry.patterns.include(Pattern::kCausalSelf)) continue;
    for (size_t i = 0; i < kPositionEncodings.size(); ++i) {
      const auto position = static_cast<PositionEncoding>(i);
      if (position_refusal(entry, position).empty()) result.emplace_back(entry.name, position);
    }
  }
  return result;
}

}  // namespace

TEST_CASE("other bytes later leave earlier logits alone, other bytes earlier do not") {
  torch::NoGradGuard no_grad;
  for (const auto& [mechanism, position] : combinations()) {
    CAPTURE(mechanism, static_cast<int>(position));
    const auto model = small_model(mechanism, position);
    const Tensor tokens = random_tokens(kContext);
    const Tensor before = model->forward(tokens);
    const int64_t cut = 37;
    Tensor changed = tokens.clone();
    changed.narrow(1, cut, kContext - cut).add_(7).remainder_(32);
    const Tensor after = model->forward(changed);
    CHECK(largest(after.narrow(1, 0, cut) - before.narrow(1, 0, cut)) <= 1e-12 * largest(before));
    CHECK(largest(after.narrow(1, cut, 1) - before.narrow(1, cut, 1)) > 1e-6);
    changed = tokens.clone();
    changed.select(1, cut - 1).add_(7).remainder_(32);
    const double moved =
        largest(model->forward(changed).narrow(1, cut, 1) - before.narrow(1, cut, 1));
    CHECK((moved > 1e-9) == find_mechanism(mechanism).facts.mixes);
  }
}

TEST_CASE("a sequence in pieces has the logits of the whole, beyond the training context too") {
  torch::NoGradGuard no_grad;
  const Tensor tokens = random_tokens(2 * kContext);
  for (const auto& [mechanism, position] : combinations()) {
    if (!find_mechanism(mechanism).facts.has_state) continue;
    CAPTURE(mechanism, static_cast<int>(position));
    const auto model = small_model(mechanism, position);
    const Tensor whole = model->forward(tokens);
    StreamState state = model->new_state();
    std::vector<Tensor> pieces;
    for (int64_t begin = 0; begin < 2 * kContext;) {
      const int64_t length = std::min<int64_t>(begin % 3 == 0 ? 1 : 20, 2 * kContext - begin);
      pieces.push_back(model->forward(tokens.narrow(1, begin, length), state));
      begin += length;
    }
    CHECK(state.position == 2 * kContext);
    CHECK(largest(torch::cat(pieces, 1) - whole) <= 1e-11 * largest(whole));
  }
}

TEST_CASE("one layer tells the order of earlier bytes by an encoding, and by nothing else") {
  torch::NoGradGuard no_grad;
  Tensor tokens = random_tokens(8), swapped = tokens.clone();
  swapped.select(1, 1).copy_(tokens.select(1, 2));
  swapped.select(1, 2).copy_(tokens.select(1, 1));
  const auto moved = [&](PositionEncoding position) {
    const auto model = small_model("vanilla_math", position, /*layers=*/1);
    return largest((model->forward(tokens) - model->forward(swapped)).select(1, 7));
  };
  CHECK(moved(PositionEncoding::kNone) < 1e-13);
  for (const auto position : {PositionEncoding::kRope, PositionEncoding::kSinusoidal,
                              PositionEncoding::kLearned, PositionEncoding::kAlibi}) {
    CAPTURE(static_cast<int>(position));
    CHECK(moved(position) > 1e-4);
  }
}

TEST_CASE("learned positions beyond the table repeat its last row") {
  torch::NoGradGuard no_grad;
  const auto model = small_model("vanilla", PositionEncoding::kLearned, 2, 20);
  const auto longer = small_model("vanilla", PositionEncoding::kLearned, 2, 30);
  NamedTensors tensors = module_tensors(*model);
  const Tensor table = tensors.at("position_weight");
  REQUIRE(table.size(0) == 20);
  tensors["position_weight"] = torch::cat({table, table.narrow(0, 19, 1).expand({10, 16})});
  load_module(*longer, tensors, "test");
  const Tensor tokens = random_tokens(30);
  CHECK(model->forward(tokens).equal(longer->forward(tokens)));
}

TEST_CASE("parameters are counted, and named for a checkpoint") {
  const auto model = small_model("vanilla", PositionEncoding::kRope);
  // Layers: 4 M^2 + 4 M attention, 8 M^2 + 5 M feed-forward, 4 M norms; then V M twice, V and 2 M.
  const int64_t M = 16, V = 32;
  CHECK(parameter_count(*model) == 2 * (12 * M * M + 13 * M) + 2 * V * M + V + 2 * M);
  CHECK(model->named_parameters().contains("layer1.attention.input_weight"));
}

TEST_CASE("the same seed gives the same model, another one another") {
  const TransformerOptions o{.mechanism = "local",
                             .position_encoding = PositionEncoding::kNone,
                             .width = 16,
                             .context = 16};
  const Tensor tokens = random_tokens(16);
  const auto logits = [&](uint64_t seed) {
    return Transformer(o, json::object(), seed).forward(tokens);
  };
  CHECK(logits(1).equal(logits(1)));
  CHECK_FALSE(logits(1).equal(logits(2)));
}
