// SPDX-License-Identifier: MIT
// The causal sums against a double loop over queries and keys.
#include "tests/emulation/causal_sum_run.h"

#include <cmath>
#include <random>

#include "tests/emulation/kernel_tensor.h"

namespace lavo::cuda::test {
namespace {

Vector random_values(std::mt19937& random, int64_t count, double mean) {
  std::normal_distribution<double> normal(mean, 1);
  Vector values(static_cast<std::size_t>(count));
  for (double& value : values) value = rounded(normal(random), Element::kFloat32);
  return values;
}

/// The first output that is wrong, in words.
std::string compare(const CausalSumShape& s, const Vector& q, const Vector& k, const Vector& v,
                    const Vector& got) {
  // An operand and the result are rounded to the type; so may be the sums that stand between.
  const double bound = 3 * unit_roundoff(Element::kFloat32) + 64 * 0x1p-24;
  const auto n = static_cast<std::size_t>(s.length);
  const std::size_t m = s.features, e = s.width, heads = std::size_t(s.batch) * s.heads;
  for (std::size_t t = 0; t < heads * n; ++t) {
    const std::size_t first = s.reverse ? t : t / n * n, last = s.reverse ? (t / n + 1) * n : t + 1;
    Vector wanted(e), magnitude(e);
    for (std::size_t j = first; j < last; ++j) {
      double score = 0, size = 0;
      for (std::size_t i = 0; i < m; ++i) {
        score += q[t * m + i] * k[j * m + i];
        size += std::abs(q[t * m + i] * k[j * m + i]);
      }
      for (std::size_t i = 0; i < e; ++i) {
        wanted[i] += score * v[j * e + i];
        magnitude[i] += size * std::abs(v[j * e + i]);
      }
    }
    for (std::size_t i = 0; i < e; ++i)
      if (!(std::abs(got[t * e + i] - wanted[i]) <= bound * magnitude[i]))
        return "token " + std::to_string(t) + ", column " + std::to_string(i) + " is " +
               std::to_string(got[t * e + i]) + ", not " + std::to_string(wanted[i]);
  }
  return "";
}

struct RandomInputs {
  Vector q, k, v;
  RandomInputs(const CausalSumShape& s, unsigned seed) {
    std::mt19937 random(seed);
    const int64_t tokens = s.batch * s.heads * s.length;
    q = random_values(random, tokens * s.features, 0.5);
    k = random_values(random, tokens * s.features, 0.5);
    v = random_values(random, tokens * s.width, 1.5);
  }
};

/// The kernels' outputs, or why there are none.
struct Outputs {
  Vector values;
  std::string failed;
};

Outputs launch_causal_sum(const CausalSumShape& s, bool heads_inside, const Vector& q,
                          const Vector& k, const Vector& v) {
  const auto tensor = [&](int width, const Vector* values) {
    return Tensor(Element::kFloat32, s.batch, s.heads, s.length, width, heads_inside, values);
  };
  Tensor query = tensor(s.features, &q), key = tensor(s.features, &k), value = tensor(s.width, &v);
  Tensor output = tensor(s.width, nullptr);
  DeviceVector<float> scratch(
      std::vector<float>(static_cast<std::size_t>(causal_sum_floats(s)), NAN));
  const int code =
      causal_sum(s, query.rows(), key.rows(), value.rows(), output.rows(), scratch.data(), nullptr);
  if (code != 0) return {{}, "launch failed: " + std::to_string(code)};
  return {output.values(), ""};
}

}  // namespace

std::string run_causal_sum(const CausalSumShape& s, bool heads_inside, unsigned seed) {
  const RandomInputs in(s, seed);
  const Outputs got = launch_causal_sum(s, heads_inside, in.q, in.k, in.v);
  return got.failed.empty() ? compare(s, in.q, in.k, in.v, got.values) : got.failed;
}

Vector causal_sum_outputs(const CausalSumShape& s, bool heads_inside, unsigned seed) {
  const RandomInputs in(s, seed);
  return launch_causal_sum(s, heads_inside, in.q, in.k, in.v).values;
}

std::string run_small_after_large(bool reverse) {
  // A chunk of 128 tokens adds half an ulp of 1.
  constexpr int64_t kLength = 4096;
  constexpr int kWidth = 8;
  const CausalSumShape s{
      .length = kLength, .features = kWidth, .width = kWidth, .reverse = reverse};
  const Vector query(kLength * kWidth, 1), key(kLength * kWidth, 1.0 / kWidth);
  Vector value(kLength * kWidth, 0x1p-31);
  const auto place = [&](int64_t t) {
    return static_cast<std::size_t>((reverse ? kLength - 1 - t : t) * kWidth);
  };
  for (int i = 0; i < kWidth; ++i) value[place(0) + i] = 1;
  const Outputs got = launch_causal_sum(s, false, query, key, value);
  if (!got.failed.empty()) return got.failed;
  for (int64_t t = 0; t < kLength; ++t) {
    // Rounded: the sum in front of the chunk, what the chunk adds to it, the output.
    const double error = got.values[place(t)] - (1 + static_cast<double>(t) * 0x1p-31);
    if (!(std::abs(error) <= 4 * 0x1p-24))
      return "token " + std::to_string(t) + " is off by " + std::to_string(error * 0x1p24) +
             " roundings";
  }
  return "";
}

std::string name_of(const CausalSumShape& s) {
  return "causal sum m=" + std::to_string(s.features) + " e=" + std::to_string(s.width) +
         " n=" + std::to_string(s.length) + (s.reverse ? " reverse" : "");
}

}  // namespace lavo::cuda::test
