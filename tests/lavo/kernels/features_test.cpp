// SPDX-License-Identifier: MIT
// lavo::attend_features against its formula, term by term in float64.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "lavo/core/problem.h"
#include "lavo/operators/attend_features.h"
#include "tests/support/catch.h"
#include "tests/support/isas.h"

using namespace lavo;

namespace {

struct Size {
  int64_t B, H, T, M, E;
};

/// Everything in float64. Levels stand still as often as they rise, the first by `step` at most.
FeatureInputs feature_problem(const Size& size, bool levels, bool padding, double step = 1) {
  const auto [B, H, T, M, E] = size;
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(11);
  const auto draw = [&](at::IntArrayRef sizes) {
    return torch::rand(sizes, generator, torch::kFloat32).to(torch::kFloat64);
  };
  FeatureInputs in{.query = draw({B, H, T, M}),
                   .key = draw({B, H, T, M}),
                   .value = draw({B, H, T, E}) * 4 - 1,
                   .sum = draw({B, H, E + 1, M})};
  if (padding) in.key_mask = draw({B, T}) < 0.7;
  if (levels) {
    in.sum_level = draw({B, H}) - 2;
    const Tensor rises = (draw({B, H, T}) - 0.5).clamp_min(0) * step;
    in.level = rises.cumsum(2) + in.sum_level.unsqueeze(2);
  }
  return in;
}

FeatureInputs stored_as(FeatureInputs in, torch::ScalarType type) {
  const auto compute = compute_type(type);
  for (Tensor* x : {&in.query, &in.key, &in.sum, &in.level, &in.sum_level}) {
    if (x->defined()) *x = x->to(compute);
  }
  in.value = in.value.to(type);
  return in;
}

/// Token by token, by the recurrence: sum_t = exp(l_{t-1} - l_t) sum_{t-1} + [v_t, 1] phi_k(t)^T.
FeatureOutputs recurrence(const FeatureInputs& in) {
  Tensor sum = in.sum, before = in.sum_level;
  std::vector<Tensor> outputs;
  for (int64_t t = 0; t < in.value.size(2); ++t) {
    const auto token = [&](const Tensor& x) { return x.select(2, t); };
    if (in.level.defined()) {
      sum = sum * (before - token(in.level)).exp().unsqueeze(2).unsqueeze(3);
      before = token(in.level);
    }
    Tensor value = token(in.value), one = torch::ones_like(value.narrow(2, 0, 1));
    if (in.key_mask.defined()) {
      one = one * in.key_mask.select(1, t).view({-1, 1, 1});
      value = value * one;
    }
    sum = sum + torch::cat({value, one}, 2).unsqueeze(3) * token(in.key).unsqueeze(2);
    const Tensor weighted = (sum * token(in.query).unsqueeze(2)).sum(3);
    const int64_t E = value.size(2);
    Tensor total = weighted.narrow(2, E, 1) + in.normaliser.epsilon +
                   in.normaliser.feature_epsilon * token(in.query).sum(2, true);
    if (in.normaliser.smallest > 0) total = total.clamp_min(in.normaliser.smallest);
    outputs.push_back(weighted.narrow(2, 0, E) / total.masked_fill(total == 0, 1));
  }
  return {torch::stack(outputs, 2), sum};
}

using Results = std::vector<std::pair<std::string, Tensor>>;

/// Outputs, the sum, and the gradients of a weighted total of both.
Results results_of(FeatureInputs in, const std::function<FeatureOutputs(const FeatureInputs&)>& run,
                   bool of_sum = true) {
  std::vector<Tensor> leaves;
  for (Tensor* x : {&in.query, &in.key, &in.value, &in.sum}) {
    *x = x->detach().requires_grad_();
    leaves.push_back(*x);
  }
  const FeatureOutputs out = run(in);
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(12);
  const auto weight = [&](const Tensor& x) {
    return torch::randn(x.sizes(), generator, torch::kFloat32).to(x.scalar_type());
  };
  std::vector<Tensor> results = {out.output}, weights = {weight(out.output)};
  if (of_sum) {
    results.push_back(out.sum);
    weights.push_back(weight(out.sum));
  }
  const auto gradients = torch::autograd::grad(results, leaves, weights);
  return {{"output", out.output.detach()}, {"sum", out.sum.detach()}, {"query", gradients[0]},
          {"key", gradients[1]},           {"value", gradients[2]},   {"sum before", gradients[3]}};
}

double relative_error(const Tensor& actual, const Tensor& expected) {
  const Tensor difference = actual.to(torch::kFloat64) - expected;
  const double error = difference.norm().item<double>() / (expected.norm().item<double>() + 1e-300);
  return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
}

void compare(const FeatureInputs& in, torch::ScalarType type, double bound) {
  const Results expected = results_of(in, recurrence),
                actual = results_of(stored_as(in, type), attend_features);
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(expected[i].first, toString(type), in.query.sizes(), in.level.defined(),
            in.key_mask.defined(), in.normaliser.smallest);
    CHECK(relative_error(actual[i].second, expected[i].second) <= bound);
  }
}

/// Sums of up to `terms` positive numbers of either sign of value, a few of them after another.
double bound_of(torch::ScalarType type, int64_t terms) { return 4 * tolerance(type, terms); }

}  // namespace

TEST_CASE("outputs, sums and gradients are those of the recurrence") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const bool levels = GENERATE(false, true), padding = GENERATE(false, true);
  const auto normaliser =
      GENERATE(FeatureNormaliser{.epsilon = 1e-6}, FeatureNormaliser{.feature_epsilon = 0.1},
               FeatureNormaliser{.smallest = 1e-6});
  for (const int64_t T : {1, 2, 7, 31, 32, 63, 65, 130}) {
    for (const Size& size : {Size{2, 3, T, 12, 6}, Size{1, 2, T, 33, 17}, Size{1, 4, T, 3, 1}}) {
      FeatureInputs in = feature_problem(size, levels, padding);
      in.normaliser = normaliser;
      compare(in, torch::kFloat64, bound_of(torch::kFloat64, T + size.M));
      compare(in, torch::kFloat32, bound_of(torch::kFloat32, T + size.M));
    }
  }
}

TEST_CASE("the same over a long sequence, of many heads and of few") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const bool levels = GENERATE(false, true);
  for (const Size& size : {Size{1, 1, 1100, 20, 16}, Size{2, 2, 1100, 20, 16}}) {
    FeatureInputs in = feature_problem(size, levels, true, 0.1);
    in.normaliser.epsilon = 1e-6;
    compare(in, torch::kFloat64, bound_of(torch::kFloat64, size.T));
    compare(in, torch::kFloat32, bound_of(torch::kFloat32, size.T));
  }
}

TEST_CASE("levels that rise far leave only the newest keys, and nothing overflows") {
  for (const double step : {20.0, 400.0}) {
    const FeatureInputs in = feature_problem({1, 2, 70, 9, 5}, true, false, step);
    compare(in, torch::kFloat64, bound_of(torch::kFloat64, 70));
  }
  FeatureInputs none = feature_problem({1, 2, 70, 9, 5}, true, false);
  none.sum_level.fill_(-1e30);  // of no token at all
  compare(none, torch::kFloat64, bound_of(torch::kFloat64, 70));
}

TEST_CASE("a clamped normaliser carries no gradient, one of zero divides by 1") {
  FeatureInputs in = feature_problem({1, 2, 40, 9, 5}, false, false);
  in.normaliser.smallest = 40;  // of some tokens only
  const double clamped = (recurrence(in).output != 0).sum().item<double>();
  CHECK(clamped > 0);
  compare(in, torch::kFloat64, bound_of(torch::kFloat64, 50));
  in.normaliser = {};
  in.sum.zero_();
  in.key.narrow(2, 0, 10).zero_();  // the first tokens see nothing
  const Tensor out = attend_features(in).output;
  CHECK(out.narrow(2, 0, 10).count_nonzero().item<int64_t>() == 0);
  compare(in, torch::kFloat64, bound_of(torch::kFloat64, 50));
}

TEST_CASE("16-bit values cost no more than the rounding of outputs and gradients") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const auto type = GENERATE(torch::kBFloat16, torch::kFloat16);
  FeatureInputs in = feature_problem({2, 2, 100, 24, 16}, false, true);
  in.normaliser.epsilon = 1e-6;
  in.value = in.value.to(type).to(torch::kFloat64);
  // Of the output's gradient too: drawn in float32, rounded on the way in.
  compare(in, type, 4 * (type == torch::kBFloat16 ? 0x1p-8 : 0x1p-11));
}

TEST_CASE("hidden keys have no influence, whatever they hold") {
  FeatureInputs in = feature_problem({2, 2, 100, 24, 16}, false, true);
  in.normaliser.epsilon = 1e-6;
  const Results expected = results_of(in, attend_features);
  const Tensor hidden = in.key_mask.logical_not().unsqueeze(1).unsqueeze(3);
  in.key = in.key.masked_fill(hidden, std::numeric_limits<double>::quiet_NaN());
  in.value = in.value.masked_fill(hidden, std::numeric_limits<double>::infinity());
  const Results actual = results_of(in, attend_features);
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(expected[i].first);
    CHECK(torch::equal(actual[i].second, expected[i].second));
  }
}

TEST_CASE("no bit of attention by features depends on layout, threads or unwritten memory") {
  const int64_t heads = GENERATE(1, 3);  // in segments; a job a head
  FeatureInputs in =
      stored_as(feature_problem({2, heads, 700, 24, 16}, true, true, 0.1), torch::kFloat32);
  in.normaliser.epsilon = 1e-6;
  FeatureInputs strided = in;  // [batch, tokens, heads, width] in memory
  for (Tensor* x : {&strided.query, &strided.key, &strided.value}) {
    *x = x->transpose(1, 2).contiguous().transpose(1, 2);
  }
  const Results expected = results_of(in, attend_features, /*of_sum=*/false);
  const int threads = at::get_num_threads();
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    for (const FeatureInputs& same : {in, strided}) {
      const Results actual = results_of(same, attend_features, /*of_sum=*/false);
      for (size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(expected[i].first, count, heads);
        CHECK(torch::equal(actual[i].second, expected[i].second));
      }
    }
  }
  at::set_num_threads(threads);
}

TEST_CASE("pieces of a sequence give what the whole gives") {
  const bool levels = GENERATE(false, true);
  FeatureInputs in = feature_problem({1, 2, 150, 9, 5}, levels, true);
  in.normaliser.epsilon = 1e-6;
  const FeatureOutputs whole = attend_features(in);
  std::vector<Tensor> outputs;
  FeatureInputs piece = in;
  for (int64_t t = 0, length = 1; t < 150; t += length, length = std::min(2 * length, 150 - t)) {
    for (auto [part, all] : {std::pair{&piece.query, &in.query},
                             {&piece.key, &in.key},
                             {&piece.value, &in.value},
                             {&piece.level, &in.level}}) {
      if (all->defined()) *part = all->narrow(2, t, length);
    }
    piece.key_mask = in.key_mask.narrow(1, t, length);
    const FeatureOutputs out = attend_features(piece);
    outputs.push_back(out.output);
    piece.sum = out.sum;
    if (levels) piece.sum_level = piece.level.select(2, length - 1);
  }
  CHECK(relative_error(torch::cat(outputs, 2), whole.output) <= bound_of(torch::kFloat64, 150));
  CHECK(relative_error(piece.sum, whole.sum) <= bound_of(torch::kFloat64, 150));
}

TEST_CASE("what does not go together is refused with its name and shape") {
  const FeatureInputs in = feature_problem({1, 2, 10, 9, 5}, true, true);
  const auto refused = [](FeatureInputs bad, const std::string& text) {
    CHECK_THROWS_WITH(attend_features(bad), ContainsSubstring(text));
  };
  FeatureInputs bad = in;
  bad.key = in.key.narrow(3, 0, 8);
  refused(bad, "features must be");
  bad = in;
  bad.sum = in.sum.transpose(2, 3);
  refused(bad, "sum must be");
  bad = in;
  bad.sum_level = Tensor();
  refused(bad, "level and sum_level go together");
  bad = in;
  bad.key_mask = in.key_mask.to(torch::kFloat32);
  refused(bad, "key_mask must be");
  bad = in;
  bad.value = in.value.to(torch::kInt);
  refused(bad, "float64, float32, bfloat16 or float16 wanted");
}
