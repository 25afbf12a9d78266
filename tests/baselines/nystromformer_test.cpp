// SPDX-License-Identifier: MIT
#include "baselines/nystromformer.h"

#include <ATen/ops/linalg_pinv.h>

#include <cmath>

#include "baselines/table.h"
#include "lavo/core/check.h"
#include "lavo/core/problem.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

std::shared_ptr<Mechanism> nystromformer(const json& options) {
  return make_mechanism("nystromformer", options, {.heads = 2, .head_dim = 8, .value_dim = 8}, 0,
                        torch::kFloat64);
}

Inputs nystromformer_inputs(int64_t B, int64_t T, int64_t S) {
  return random_inputs({.B = B, .H = 2, .T = T, .S = S, .D = 8, .E = 8}, torch::kFloat64, 5,
                       {.scale = 1.5});
}

Tensor softmax_of(const Tensor& q, const Tensor& k) {
  return (torch::matmul(q, k.transpose(2, 3)) / std::sqrt(8.0)).softmax(3);
}

Tensor means(const Tensor& x, torch::IntArrayRef lengths) {
  std::vector<Tensor> result;
  for (const Tensor& part : x.split_with_sizes(lengths, 2)) result.push_back(part.mean(2, true));
  return torch::cat(result, 2);
}

Inputs only(const Inputs& in, int64_t b, const Tensor& tokens) {
  const auto take = [&](const Tensor& x) { return x.narrow(0, b, 1).index_select(2, tokens); };
  return {.query = take(in.query), .key = take(in.key), .value = take(in.value)};
}

}  // namespace

TEST_CASE("segments that do not divide: the first ones are the shorter ones") {
  const Inputs in = nystromformer_inputs(2, 11, 8);  // 3 + 4 + 4 queries, 2 + 3 + 3 keys
  const Tensor ql = means(in.query, {3, 4, 4}), kl = means(in.key, {2, 3, 3});
  const Tensor expected = softmax_of(in.query, kl)
                              .matmul(at::linalg_pinv(softmax_of(ql, kl)))
                              .matmul(softmax_of(ql, in.key))
                              .matmul(in.value);
  // The iteration is of third order: by 40 steps it has long converged.
  const Tensor actual = nystromformer({{"landmarks", 3}, {"iterations", 40}})->forward(in);
  CHECK(worst_row_error(actual, expected) < 1e-9);
}

TEST_CASE("the iteration converges to the pseudoinverse") {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(2);
  const Tensor logits = torch::randn({2, 3, 12, 12}, generator, torch::kFloat64);
  const Tensor a = (logits + 4 * torch::eye(12, torch::kFloat64)).softmax(3);
  const Tensor exact = at::linalg_pinv(a);
  for (const auto init : {PinvInit::kExact, PinvInit::kOriginal}) {
    double last = 1e300;
    for (const int64_t iterations : {2, 4, 8, 14}) {
      const double error = (iterative_pinv(a, iterations, init) - exact).norm().item<double>() /
                           exact.norm().item<double>();
      CHECK(error < std::max(last, 1e-8));
      last = error;
    }
    CHECK(last < 1e-8);
  }
}

TEST_CASE("keys that say nothing: rounding in the null space does not grow with the iterations") {
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    for (const auto* init : {"exact", "original"}) {
      auto generator = torch::make_generator<at::CPUGeneratorImpl>(3);
      const auto normal = [&](torch::IntArrayRef size) {
        return torch::randn(size, generator, torch::kFloat64);
      };
      // 13 of the 32 segments have one token more: their means round differently.
      const Tensor query = normal({2, 2, 109, 16}), value = normal({2, 2, 109, 16});
      const Tensor one = normal({1, 1, 1, 16}).expand({2, 2, 109, 16});
      const Tensor noise = 1e-3 * normal({2, 2, 109, 16});
      const double largest = value.abs().max().item<double>();
      for (const auto& [key, bound] :
           {std::pair(one, 2.), std::pair(noise, 2.), std::pair(1 + noise, 50.)}) {
        const Inputs in{.query = query.to(type), .key = key.to(type), .value = value.to(type)};
        const auto output = [&](int64_t iterations) {
          const json options = {{"landmarks", 32}, {"iterations", iterations}, {"pinv_init", init}};
          return make_mechanism("nystromformer", options, {.heads = 2, .head_dim = 16}, 0, type)
              ->forward(in)
              .to(torch::kFloat64);
        };
        for (const int64_t iterations : {1, 2, 5, 6, 7, 12, 20, 27, 40, 64}) {
          CAPTURE(type, init, bound, iterations);
          CHECK(output(iterations).abs().max().item<double>() <= bound * largest);
        }
        CHECK(output(30).equal(output(64)));
        if (key.data_ptr() == one.data_ptr()) {
          const double rounding = type == torch::kFloat64 ? 1e-12 : 1e-5;
          CHECK((output(8) - output(64)).abs().max().item<double>() < rounding * largest);
        }
      }
    }
  }
}

TEST_CASE("no more tokens than landmarks is softmax attention") {
  const auto vanilla = make_mechanism("vanilla_math", json::object(), {.heads = 2, .head_dim = 8},
                                      0, torch::kFloat64);
  for (const auto& [T, S] : {std::pair<int64_t, int64_t>{5, 5}, {4, 30}, {30, 5}, {1, 1}}) {
    const Inputs in = nystromformer_inputs(2, T, S);
    CHECK(worst_row_error(nystromformer({{"landmarks", 5}})->forward(in), vanilla->forward(in)) <
          1e-13);
  }
}

TEST_CASE("padded attention is that of the real tokens alone") {
  Inputs in = nystromformer_inputs(4, 23, 23);
  in.key_mask = torch::ones({4, 23}, torch::kBool);
  in.key_mask[0].narrow(0, 12, 11).fill_(false);  // a tail
  for (int64_t j = 0; j < 23; j += 3) in.key_mask[1][j].fill_(false);
  in.key_mask[2].narrow(0, 0, 20).fill_(false);  // three real tokens: fewer than landmarks
  in.key_mask[3].fill_(false);
  for (Tensor* x : {&in.query, &in.key, &in.value}) {
    x->masked_fill_(in.key_mask.logical_not().view({4, 1, 23, 1}), std::nan(""));
  }
  const auto mechanism = nystromformer({{"landmarks", 4}});
  const Tensor output = mechanism->forward(in);
  for (int64_t b = 0; b < 3; ++b) {
    const Tensor real = in.key_mask[b].nonzero().squeeze(1);
    const Tensor expected = mechanism->forward(only(in, b, real));
    CHECK(worst_row_error(output.narrow(0, b, 1).index_select(2, real), expected) < 1e-12);
  }
  CHECK(output[3].equal(torch::zeros_like(output[3])));
}

TEST_CASE("only pinv_init original couples the entries of a batch") {
  const Inputs in = nystromformer_inputs(2, 40, 40);
  Inputs other = in;
  other.key = torch::cat({in.key.narrow(0, 0, 1), in.key.narrow(0, 1, 1) * 4}, 0);
  for (const auto* init : {"exact", "original"}) {
    const auto mechanism = nystromformer({{"landmarks", 8}, {"pinv_init", init}});
    const Tensor a = mechanism->forward(in)[0], b = mechanism->forward(other)[0];
    CHECK(a.equal(b) == (std::string(init) == "exact"));
  }
}

TEST_CASE("what it cannot do is refused with the reason") {
  CHECK_THROWS_WITH(nystromformer(json::object())->new_state(),
                    ContainsSubstring("no streaming state"));
  CHECK_THROWS_WITH(nystromformer({{"conv_kernel", 4}}),
                    ContainsSubstring("must be 0 or odd, got 4"));
  CHECK_THROWS_WITH(nystromformer({{"conv_kernel", 3}})->forward(nystromformer_inputs(1, 4, 9)),
                    ContainsSubstring("needs self attention"));
  Inputs causal = nystromformer_inputs(1, 9, 9);
  causal.causal = true;
  CHECK_THROWS_WITH(nystromformer(json::object())->forward(causal),
                    ContainsSubstring("mixes later tokens"));
  causal.cross = true;
  CHECK_THROWS_WITH(nystromformer(json::object())->forward(causal),
                    ContainsSubstring("landmark of the queries"));
}
