// SPDX-License-Identifier: MIT
// lavo::attend_features against its formula, term by term in float64.
#include <ATen/Parallel.h>

#include "lavo/core/problem.h"
#include "tests/support/catch.h"
#include "tests/support/feature_problem.h"
#include "tests/support/isas.h"

using namespace lavo;

namespace {

void compare(const FeatureInputs& in, torch::ScalarType type, double bound) {
  const FeatureResults expected = results_of(in, feature_recurrence),
                       actual = results_of(stored_as(in, type), attend_features);
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(expected[i].first, toString(type), in.query.sizes(), in.level.defined(),
            in.key_mask.defined(), in.normaliser.smallest);
    CHECK(relative_error(actual[i].second, expected[i].second) <= bound);
  }
}

}  // namespace

TEST_CASE("outputs, sums and gradients are those of the recurrence") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const bool levels = GENERATE(false, true), padding = GENERATE(false, true);
  const auto normaliser =
      GENERATE(FeatureNormaliser{.epsilon = 1e-6}, FeatureNormaliser{.feature_epsilon = 0.1},
               FeatureNormaliser{.smallest = 1e-6});
  for (const int64_t T : {1, 2, 7, 31, 32, 63, 65, 130}) {
    for (const FeatureSize& size :
         {FeatureSize{2, 3, T, 12, 6}, FeatureSize{1, 2, T, 33, 17}, FeatureSize{1, 4, T, 3, 1}}) {
      FeatureInputs in = feature_problem(size, levels, padding);
      in.normaliser = normaliser;
      compare(in, torch::kFloat64, feature_bound(torch::kFloat64, T + size.M));
      compare(in, torch::kFloat32, feature_bound(torch::kFloat32, T + size.M));
    }
  }
}

TEST_CASE("the same over a long sequence, of many heads and of few") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const bool levels = GENERATE(false, true);
  for (const FeatureSize& size :
       {FeatureSize{1, 1, 1100, 20, 16}, FeatureSize{2, 2, 1100, 20, 16}}) {
    FeatureInputs in = feature_problem(size, levels, true, 0.1);
    in.normaliser.epsilon = 1e-6;
    compare(in, torch::kFloat64, feature_bound(torch::kFloat64, size.T));
    compare(in, torch::kFloat32, feature_bound(torch::kFloat32, size.T));
  }
}

TEST_CASE("levels that rise far leave only the newest keys, and nothing overflows") {
  for (const double step : {20.0, 400.0}) {
    const FeatureInputs in = feature_problem({1, 2, 70, 9, 5}, true, false, step);
    compare(in, torch::kFloat64, feature_bound(torch::kFloat64, 70));
  }
  FeatureInputs none = feature_problem({1, 2, 70, 9, 5}, true, false);
  none.sum_level.fill_(-1e30);  // of no token at all
  compare(none, torch::kFloat64, feature_bound(torch::kFloat64, 70));
}

TEST_CASE("a clamped normaliser carries no gradient, one of zero divides by 1") {
  FeatureInputs in = feature_problem({1, 2, 40, 9, 5}, false, false);
  in.normaliser.smallest = 40;  // of some tokens only
  const double clamped = (feature_recurrence(in).output != 0).sum().item<double>();
  CHECK(clamped > 0);
  compare(in, torch::kFloat64, feature_bound(torch::kFloat64, 50));
  in.normaliser = {};
  in.sum.zero_();
  in.key.narrow(2, 0, 10).zero_();  // the first tokens see nothing
  const Tensor out = attend_features(in).output;
  CHECK(out.narrow(2, 0, 10).count_nonzero().item<int64_t>() == 0);
  compare(in, torch::kFloat64, feature_bound(torch::kFloat64, 50));
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
  const FeatureResults expected = results_of(in, attend_features);
  const Tensor hidden = in.key_mask.logical_not().unsqueeze(1).unsqueeze(3);
  in.key = in.key.masked_fill(hidden, std::numeric_limits<double>::quiet_NaN());
  in.value = in.value.masked_fill(hidden, std::numeric_limits<double>::infinity());
  const FeatureResults actual = results_of(in, attend_features);
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
  const FeatureResults expected = results_of(in, attend_features, /*of_sum=*/false);
  const int threads = at::get_num_threads();
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    for (const FeatureInputs& same : {in, strided}) {
      const FeatureResults actual = results_of(same, attend_features, /*of_sum=*/false);
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
  CHECK(relative_error(torch::cat(outputs, 2), whole.output) <=
        feature_bound(torch::kFloat64, 150));
  CHECK(relative_error(piece.sum, whole.sum) <= feature_bound(torch::kFloat64, 150));
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
