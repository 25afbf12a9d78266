// SPDX-License-Identifier: MIT
#include "lavo/core/problem.h"

#include <fmt/ranges.h>

#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "lavo/core/check.h"

namespace lavo {

Inputs random_inputs(const Shape& s, torch::ScalarType type, uint64_t seed,
                     const ProblemOptions& options) {
  auto generator = make_generator(seed);
  const auto draw = [&](int64_t length, int64_t width) {
    return torch::randn({s.B, s.H, length, width}, generator, torch::kFloat32);
  };
  const auto place = [&](const Tensor& x) { return x.to(options.device, type); };
  Inputs in;
  in.causal = options.causal;
  in.cross = options.cross;
  in.query = place(draw(s.T, s.D).mul(options.scale));
  in.key = place(draw(s.S, s.D).mul(options.scale).add(options.mean * 0.5));
  in.value = place(draw(s.S, s.E).add(options.mean));
  if (options.padding) {
    Tensor mask = torch::rand({s.B, s.S}, generator) > 0.25;
    mask.index_put_({torch::indexing::Slice(), 0}, false);
    mask.index_put_({0, torch::indexing::Slice(s.S - s.S / 8, s.S)}, false);
    in.key_mask = mask.to(options.device);
  }
  return in;
}

namespace {

/// What the letters of a declaration stand for.
std::vector<int64_t> sizes_of(const InputSpec& spec, const Shape& s, const json& counts) {
  std::vector<int64_t> sizes;
  for (const char letter : spec.letters) {
    switch (letter) {
      case 'B':
        sizes.push_back(s.B);
        break;
      case 'H':
        sizes.push_back(s.H);
        break;
      case 'T':
        sizes.push_back(s.T);
        break;
      case 'S':
        sizes.push_back(s.S);
        break;
      case 'D':
        sizes.push_back(s.D);
        break;
      case 'E':
        sizes.push_back(s.E);
        break;
      default:
        sizes.push_back(counts.at(spec.count_option).get<int64_t>());
    }
  }
  return sizes;
}

Tensor of_length_one(const Tensor& x) {
  const Tensor wide = x.to(torch::kFloat64);
  return (wide / wide.norm(2, -1, true)).to(x.scalar_type());
}

}  // namespace

Inputs random_inputs(const Mechanism& mechanism, const Shape& shape, torch::ScalarType type,
                     uint64_t seed, const ProblemOptions& options, const json& counts) {
  Inputs in = random_inputs(shape, type, seed, options);
  if (mechanism.unit_queries()) in.query = of_length_one(in.query);
  if (mechanism.unit_keys()) in.key = of_length_one(in.key);
  for (const InputSpec& spec : mechanism.inputs()) {
    auto generator = make_generator(++seed << 16);
    const Tensor x = spec.draw(sizes_of(spec, shape, counts), generator);
    in.set(spec, x.to(options.device, type));
  }
  return in;
}

std::vector<int64_t> check_rows(int64_t length, int64_t count, int64_t window, uint64_t seed) {
  std::set<int64_t> rows = {0, length - 1};
  std::mt19937_64 random(seed);
  const auto below = [&](int64_t n) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
  };
  if (window < length) {
    const int64_t edge = window * (1 + below((length - 1) / window));
    rows.insert({edge - 1, edge});
  }
  while (static_cast<int64_t>(rows.size()) < std::min(count, length)) rows.insert(below(length));
  return {rows.begin(), rows.end()};
}

namespace {

/// Of what sums are computed in: what is smaller has lost digits, whoever computed it.
double smallest_normal(torch::ScalarType type) {
  return compute_type(type) == torch::kFloat64 ? std::numeric_limits<double>::min()
                                               : std::numeric_limits<float>::min();
}

}  // namespace

double worst_row_error(const Tensor& actual, const Tensor& expected) {
  require<ShapeError>(actual.sizes() == expected.sizes(), "worst_row_error: [{}] against [{}]",
                      fmt::join(actual.sizes(), ", "), fmt::join(expected.sizes(), ", "));
  const Tensor a = actual.detach().to(torch::kCPU, torch::kFloat64);
  const Tensor b = expected.detach().to(torch::kCPU, torch::kFloat64);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!a.isfinite().all().item<bool>() || !b.isfinite().all().item<bool>()) return kInfinity;
  const Tensor difference = (a - b).norm(2, -1);
  const Tensor length = b.norm(2, -1);
  const Tensor scale =
      torch::where(length == 0, length, length.clamp_min(smallest_normal(actual.scalar_type())));
  const Tensor ratio =
      torch::where(difference == 0, torch::zeros_like(difference), difference / scale);
  return ratio.max().item<double>();  // infinite where a row of zeros was missed
}

double tolerance(torch::ScalarType type, int64_t terms) {
  const auto unit_roundoff = [](torch::ScalarType t) {
    switch (t) {
      case torch::kFloat64:
        return std::ldexp(1.0, -53);
      case torch::kFloat32:
        return std::ldexp(1.0, -24);
      case torch::kFloat16:
        return std::ldexp(1.0, -11);
      case torch::kBFloat16:
        return std::ldexp(1.0, -8);
      default:
        fail<ShapeError>("tolerance: no floating type {}", toString(t));
    }
  };
  return unit_roundoff(type) +
         unit_roundoff(compute_type(type)) * (std::sqrt(static_cast<double>(terms)) + 8);
}

}  // namespace lavo
