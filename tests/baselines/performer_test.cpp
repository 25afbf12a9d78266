// SPDX-License-Identifier: MIT
#include "baselines/performer.h"

#include <cmath>

#include "baselines/table.h"
#include "lavo/core/check.h"
#include "lavo/core/pieces.h"
#include "lavo/core/problem.h"
#include "lavo/parts/feature_maps.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

std::shared_ptr<Mechanism> performer(const json& options, int64_t width = 16) {
  const Setting setting{.heads = 2, .head_dim = width, .value_dim = width, .causal = true};
  return make_mechanism("performer", options, setting, 3, torch::kFloat64);
}

Inputs causal_inputs(int64_t T, double scale, bool padding = false) {
  return random_inputs({.B = 2, .H = 2, .T = T, .S = T, .D = 16, .E = 16}, torch::kFloat64, 5,
                       {.causal = true, .scale = scale, .padding = padding});
}

Tensor projection(Mechanism& mechanism) { return mechanism.named_buffers()["projection"]; }

}  // namespace

TEST_CASE("rows of the projection are orthogonal in blocks and as long as Gaussian vectors") {
  constexpr int64_t kWidth = 24, kRows = 24 * 40 + 5;
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(1);
  const Tensor w = orthogonal_gaussian_rows(kRows, kWidth, generator);
  REQUIRE(w.sizes() == torch::IntArrayRef{kRows, kWidth});
  const Tensor unit = w / w.norm(2, 1, true);
  for (int64_t first = 0; first < kRows; first += kWidth) {
    const Tensor block = unit.narrow(0, first, std::min(kWidth, kRows - first));
    const Tensor gram = block.mm(block.t());
    CHECK((gram - torch::eye(gram.size(0), torch::kFloat64)).abs().max().item<double>() < 1e-13);
  }
  // |w|^2 is chi-squared with D degrees of freedom: mean D, variance 2 D; five standard errors.
  const Tensor squares = w.square().sum(1);
  const double n = static_cast<double>(kRows), d = static_cast<double>(kWidth);
  CHECK(std::abs(squares.mean().item<double>() - d) < 5 * std::sqrt(2 * d / n));
  CHECK(std::abs(squares.var().item<double>() / (2 * d) - 1) < 5 * std::sqrt(2 / n + 12 / (d * n)));
  // Each direction is uniform: the mean of unit vectors has variance 1 / n for the whole vector.
  CHECK(unit.mean(0).norm().item<double>() < 5 / std::sqrt(n));
}

TEST_CASE("the feature count defaults to int(D ln D)") {
  CHECK(projection(*performer(json::object(), 64)).sizes() == torch::IntArrayRef{266, 64});
  CHECK(projection(*performer(json::object(), 1)).sizes() == torch::IntArrayRef{1, 1});
  CHECK(projection(*performer({{"projection_per_head", true}, {"feature_count", 9}})).sizes() ==
        torch::IntArrayRef{2, 9, 16});
}

TEST_CASE("random features come nearer to softmax as their number grows") {
  const Inputs in = causal_inputs(40, 0.7);
  const auto vanilla =
      make_mechanism("vanilla", json::object(), {.heads = 2, .head_dim = 16}, 0, torch::kFloat64);
  const Tensor exact = vanilla->forward(in);
  const auto error = [&](int64_t features) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 12; ++seed) {
      const Setting setting{.heads = 2, .head_dim = 16, .value_dim = 16, .causal = true};
      const auto p = make_mechanism("performer", {{"feature_count", features}}, setting, seed,
                                    torch::kFloat64);
      sum += (p->forward(in) - exact).square().mean().item<double>();
    }
    return std::sqrt(sum / 12);
  };
  // The variance falls as 1 / M: 16 times the features, a quarter of the error; a factor 2 to
  // spare.
  CHECK(error(1024) < error(64) / 2);
}

TEST_CASE("with epsilon 0 the prefix stabilizer changes nothing but the range") {
  const bool padding = GENERATE(false, true);
  const Inputs in = causal_inputs(70, 1.5, padding);
  const auto p = performer({{"feature_count", 20}});
  const Tensor w = projection(*p);
  const auto phi = [&](const Tensor& x) {
    return (torch::matmul(x, w.t()) / 2 - x.square().sum(3, true) / 8)
        .exp();  // 16^(1/4), 2 sqrt(16)
  };
  Tensor weight = torch::matmul(phi(in.query), phi(in.key).transpose(2, 3)).tril();
  if (padding) weight = weight * in.key_mask.to(torch::kFloat64).unsqueeze(1).unsqueeze(1);
  const Tensor total = weight.sum(3, true);
  const Tensor expected = torch::matmul(weight, in.value) / total.masked_fill(total == 0, 1);
  CHECK(worst_row_error(p->forward(in), expected) < 1e-12);
}

TEST_CASE("no later key moves an output, however large it is") {
  const double epsilon = GENERATE(0.0, 1e-4);
  Inputs in = causal_inputs(300, 1);
  const auto p = performer({{"epsilon", epsilon}});
  const Tensor before = p->forward(in);
  constexpr int64_t kPast = 150;  // inside a chunk
  for (Tensor* x : {&in.query, &in.key, &in.value}) {
    *x = torch::cat({x->narrow(2, 0, kPast), x->narrow(2, kPast, 300 - kPast) * 6}, 2);
  }
  const Tensor after = p->forward(in);
  CHECK(worst_row_error(after.narrow(2, 0, kPast), before.narrow(2, 0, kPast)) < 1e-12);
  CHECK(worst_row_error(after.narrow(2, kPast, 1), before.narrow(2, kPast, 1)) > 1e-3);
}

TEST_CASE("a stream survives keys that lift its maximum by hundreds") {
  Inputs in = causal_inputs(90, 1);
  in.key.narrow(2, 0, 40).mul_(14);  // u - g near -300: e^-300 of the later ones
  const auto p = performer(json::object());
  const Tensor whole = p->forward(in);
  const auto state = p->new_state();
  Pieces pieces(90);
  for (int64_t t = 0; t < 90; t += 9) {
    Inputs piece = in;
    for (Tensor* x : {&piece.query, &piece.key, &piece.value}) *x = x->narrow(2, t, 9);
    pieces.add(p->forward(piece, *state));
  }
  CHECK(worst_row_error(pieces.result(), whole) < 1e-12);
  std::vector<int64_t> rows(90);
  for (int64_t t = 0; t < 90; ++t) rows[static_cast<size_t>(t)] = t;
  CHECK(worst_row_error(whole, p->reference(in, rows)) < 1e-11);
}

TEST_CASE("the published stabilizer has no streaming state and says why") {
  CHECK_THROWS_WITH(performer({{"stabilizer", "sequence"}})->new_state(),
                    ContainsSubstring("no streaming state"));
  CHECK_NOTHROW(performer(json::object())->new_state());
  CHECK_NOTHROW(performer({{"stabilizer", "sequence"}, {"features", "relu"}})->new_state());
}

TEST_CASE("projections are redrawn in training only, after redraw_interval forwards") {
  const Inputs in = causal_inputs(4, 1);
  const auto p = performer({{"redraw_interval", 3}});
  const Tensor first = projection(*p).clone();
  for (int i = 0; i < 7; ++i) p->forward(in);
  CHECK(projection(*p).equal(first));
  p->train();
  for (int i = 0; i < 3; ++i) p->forward(in);
  CHECK(projection(*p).equal(first));
  p->forward(in);
  CHECK_FALSE(projection(*p).equal(first));
  CHECK(projection(*p).sizes() == first.sizes());
}

TEST_CASE("a redraw between forward and backward leaves the gradient alone") {
  Inputs in = causal_inputs(6, 1);
  in.query.requires_grad_();
  const auto gradient = [&](bool redraw) {
    const auto p = performer({{"redraw_interval", 1}});
    p->train();
    const Tensor loss = p->forward(in).square().sum();
    if (redraw) p->forward(in);
    in.query.mutable_grad() = Tensor();
    loss.backward();
    return in.query.grad().clone();
  };
  CHECK(gradient(true).equal(gradient(false)));
}
