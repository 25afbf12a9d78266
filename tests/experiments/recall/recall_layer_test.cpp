// SPDX-License-Identifier: MIT
#include "experiments/recall/recall_layer.h"

#include "baselines/table.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

constexpr RecallLayerSizes kLayerSizes{.input = 12, .head_dim = 8, .output = 6, .length = 20};

std::shared_ptr<RecallLayer> recall_layer(const std::string& mechanism,
                                          const json& given = json::object()) {
  auto generator = make_generator(11);
  const json options = find_mechanism(mechanism).resolve(given, recall_setting(kLayerSizes));
  auto layer = std::make_shared<RecallLayer>(mechanism, options, kLayerSizes, generator);
  layer->to(torch::kFloat64);
  torch::NoGradGuard no_grad;
  for (Tensor& p : layer->parameters()) {  // betas away from 1/2
    p.add_(torch::randn(p.sizes(), generator, torch::kFloat64).mul_(0.5));
  }
  return layer;
}

Tensor recall_positions() {
  auto generator = make_generator(12);
  return torch::randn({3, kLayerSizes.length, kLayerSizes.input}, generator, torch::kFloat64);
}

/// o_t of one sequence from its q, k, v and x.
using RecallFormula = std::function<Tensor(const Tensor& q, const Tensor& k, const Tensor& v,
                                           const Tensor& x, int64_t t)>;

double worst_recall_error(RecallLayer& layer, const RecallFormula& formula) {
  torch::NoGradGuard no_grad;
  const auto parameter = [&](const char* name) { return layer.named_parameters()[name]; };
  const Tensor x = recall_positions();
  const Tensor asked = torch::tensor({0, 7, 19, 20, 45, 59});
  const Tensor got = layer.forward(x, asked);
  double worst = 0;
  for (int64_t i = 0; i < asked.size(0); ++i) {
    const int64_t place = asked[i].item<int64_t>();
    const Tensor sequence = x[place / kLayerSizes.length];
    const auto projected = [&](const char* name) {
      return (sequence.unsqueeze(1) * parameter(name)).sum(-1);
    };
    const Tensor out = formula(projected("query_weight"), projected("key_weight"),
                               projected("value_weight"), sequence, place % kLayerSizes.length);
    const Tensor expected = (parameter("output_weight") * out).sum(-1);
    worst = std::max(worst, (got[i] - expected).abs().max().item<double>());
  }
  return worst;
}

}  // namespace

TEST_CASE("a layer of softmax attention is its formula") {
  const auto layer = recall_layer("vanilla");
  CHECK(layer->parameters().size() == 4);
  const auto formula = [](const Tensor& q, const Tensor& k, const Tensor& v, const Tensor&,
                          int64_t t) {
    Tensor sum = torch::zeros({8}, torch::kFloat64), weights = torch::zeros({}, torch::kFloat64);
    for (int64_t j = 0; j <= t; ++j) {
      const Tensor weight = ((q[t] * k[j]).sum() / std::sqrt(8.0)).exp();
      sum = sum + weight * v[j];
      weights = weights + weight;
    }
    return sum / weights;
  };
  CHECK(worst_recall_error(*layer, formula) < 1e-12);
}

TEST_CASE("a layer of the delta rule has unit queries and keys, and betas of its own") {
  const auto layer = recall_layer("deltanet");
  const auto parameters = layer->named_parameters();
  CHECK(parameters.size() == 6);
  const auto formula = [&](const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& x,
                           int64_t t) {
    const auto unit = [](const Tensor& y) { return y / y.square().sum().sqrt(); };
    Tensor S = torch::zeros({8, 8}, torch::kFloat64);
    for (int64_t j = 0; j <= t; ++j) {
      const Tensor raw = (x[j] * parameters["beta_weight"][0]).sum() + parameters["beta_bias"][0];
      const Tensor beta = 1 / (1 + (-raw).exp()), key = unit(k[j]);
      const Tensor recalled = (S * key.unsqueeze(1)).sum(0);
      S = S + key.unsqueeze(1) * (beta * (v[j] - recalled)).unsqueeze(0);
    }
    return (S * unit(q[t]).unsqueeze(1)).sum(0);  // no scale
  };
  CHECK(worst_recall_error(*layer, formula) < 1e-12);
}

TEST_CASE("every mechanism of causal self attention is a layer that runs in float32") {
  for (const Entry& entry : mechanisms()) {
    if (!entry.patterns.include(Pattern::kCausalSelf)) continue;
    CAPTURE(entry.name);
    auto generator = make_generator(11);
    const json options = entry.resolve(json::object(), recall_setting(kLayerSizes));
    RecallLayer layer(entry.name, options, kLayerSizes, generator);
    const Tensor y = layer.forward(recall_positions().to(torch::kFloat32), torch::arange(60));
    CHECK(y.sizes() == at::IntArrayRef({60, 6}));
    y.square().sum().backward();
    const Tensor gradient = layer.named_parameters()["value_weight"].grad();
    CHECK((gradient.defined() && gradient.isfinite().all().item<bool>()));
  }
}

TEST_CASE("bytes of the state are those of its tensors") {
  const Tensor x = recall_positions().narrow(0, 0, 1).to(torch::kFloat32);
  const auto bytes = [&](const std::string& mechanism, const json& options = json::object()) {
    const auto layer = recall_layer(mechanism, options);
    layer->to(torch::kFloat32);
    return layer->state_bytes(x);
  };
  CHECK(bytes("none") == 0);
  CHECK(bytes("deltanet") == 4 * 8 * 8);
  CHECK(bytes("vanilla") == 4 * 2 * 20 * 8);  // keys and values of 20 positions
  const json sum = {{"dissect", false}, {"memory", "address"}, {"write", "sum"}, {"bases", 5}};
  CHECK(bytes("lavo", sum) == 4 * 5 * 8);
}
