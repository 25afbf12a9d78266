// SPDX-License-Identifier: MIT
// NaN and infinity reach no output whose query does not see them: those keep their bits.
#include <cmath>

#include "lavo/operators/attend.h"
#include "tests/support/catch.h"
#include "tests/support/feature_problem.h"
#include "tests/support/isas.h"

using namespace lavo;

namespace {

constexpr int64_t kCallTokens = 70;
constexpr double kNotFinite[] = {NAN, INFINITY, -INFINITY};

/// Of head 1 of batch entry 1, from token `begin` on.
Tensor spoilt(const Tensor& x_BHTD, int64_t begin, double by) {
  Tensor y = x_BHTD.clone();
  y[1][1].narrow(0, begin, y.size(2) - begin).fill_(by);
  return y;
}

/// Everything but tokens [begin, end) of that head.
void require_same(const Tensor& before, const Tensor& after, int64_t begin, int64_t end) {
  Tensor outside = torch::ones(before.sizes().slice(0, 3), torch::kBool);
  outside[1][1].narrow(0, begin, end - begin).fill_(false);
  CHECK(torch::equal(before.index({outside}), after.index({outside})));
  CHECK(torch::isfinite(before).all().item<bool>());
}

AttendInputs attend_problem(const std::string& memory, torch::ScalarType type, bool causal) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(5);
  const auto compute = type == torch::kFloat64 ? type : torch::kFloat32;
  const auto draw = [&](at::IntArrayRef sizes, torch::ScalarType as) {
    return torch::randn(sizes, generator, torch::kFloat32).to(as);
  };
  AttendInputs in;
  for (Tensor* x : {&in.query, &in.key, &in.value}) *x = draw({2, 3, kCallTokens, 20}, type);
  in.weights = draw({2, 3}, compute);
  if (memory != "none") in.key_bases = in.value_bases = draw({3, 5, 20}, compute);
  in.memory = memory;
  in.window = 8;
  in.look_back = causal ? 1 : 0;
  in.bias = draw({3, (in.look_back + 2) * in.window - 1}, compute);
  in.causal = causal;
  return in;
}

}  // namespace

TEST_CASE("lavo::attend: what is not finite at a token reaches no output before it") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const auto type = GENERATE(torch::kFloat32, torch::kBFloat16, torch::kFloat64);
  const std::string memory = GENERATE("none", "shared", "key_value");
  const bool decays = GENERATE(false, true);
  if (decays && memory == "none") return;
  AttendInputs in = attend_problem(memory, type, true);
  if (decays) in.decay = torch::full({5}, 0.9).to(in.weights.scalar_type());
  const Tensor before = attend(in);
  for (const double by : kNotFinite) {
    for (const int64_t t : {1, 55, 69}) {
      for (Tensor AttendInputs::*const input :
           {&AttendInputs::query, &AttendInputs::key, &AttendInputs::value}) {
        AttendInputs other = in;
        other.*input = spoilt(in.*input, t, by);
        CAPTURE(memory, toString(type), decays, by, t);
        const Tensor after = attend(other);
        require_same(before, after, t, kCallTokens);
        // Nor is it hidden where it is seen.
        if (std::isnan(by)) CHECK(after[1][1][t].isnan().all().item<bool>());
      }
    }
  }
}

TEST_CASE("lavo::attend: what is not finite in a window reaches no other one") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const AttendInputs in = attend_problem("none", torch::kFloat32, false);
  const Tensor before = attend(in);
  for (const double by : kNotFinite) {
    for (const int64_t t : {3, 8, 55}) {
      for (Tensor AttendInputs::*const input : {&AttendInputs::key, &AttendInputs::value}) {
        AttendInputs other = in;
        other.*input = (in.*input).clone();
        (other.*input)[1][1][t].fill_(by);
        CAPTURE(by, t);
        require_same(before, attend(other), t / 8 * 8, t / 8 * 8 + 8);
      }
    }
  }
}

TEST_CASE("lavo::attend_features: what is not finite at a token reaches no output before it") {
  const WithIsa with(GENERATE(from_range(available_isas())));
  const auto type = GENERATE(torch::kFloat32, torch::kBFloat16, torch::kFloat64);
  const bool levels = GENERATE(false, true);
  const auto T = GENERATE(int64_t{70}, int64_t{600});  // of few heads in several segments
  const FeatureSize size{T > 500 ? 1 : 3, 2, T, 12, 6};
  FeatureInputs in = stored_as(feature_problem(size, levels, false), type);
  in.normaliser.epsilon = 1e-6;
  const auto outputs = [](const FeatureInputs& of) { return attend_features(of).output; };
  const Tensor before = outputs(in);
  for (const double by : kNotFinite) {
    for (const int64_t t : {int64_t{1}, int64_t{55}, T - 1}) {
      for (Tensor FeatureInputs::*const input :
           {&FeatureInputs::query, &FeatureInputs::key, &FeatureInputs::value}) {
        FeatureInputs other = in;
        other.*input = (in.*input).clone();
        (other.*input).narrow(2, t, T - t).fill_(by);
        CAPTURE(toString(type), levels, T, by, t);
        const Tensor after = outputs(other);
        CHECK(torch::equal(before.narrow(2, 0, t), after.narrow(2, 0, t)));
        CHECK(torch::isfinite(before).all().item<bool>());
        CHECK_FALSE(torch::isfinite(after).all().item<bool>());
      }
      if (levels) {
        FeatureInputs other = in;
        other.level = in.level.clone();
        other.level.narrow(2, t, T - t).fill_(by);
        CHECK(torch::equal(before.narrow(2, 0, t), outputs(other).narrow(2, 0, t)));
      }
    }
  }
}
