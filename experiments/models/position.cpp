// SPDX-License-Identifier: MIT
#include "experiments/models/position.h"

#include <algorithm>
#include <cmath>

namespace lavo {
namespace {

constexpr double kBase = 10000;
constexpr int64_t kAlibiColumns = 8;
constexpr int64_t kExactInBfloat16 = 256;

/// [length, width / 2] angles t base^(-2i/width) in float64.
Tensor angles(int64_t first, int64_t length, int64_t width, torch::Device device) {
  const auto options = torch::TensorOptions(torch::kFloat64).device(device);
  const Tensor t = torch::arange(first, first + length, options);
  const Tensor exponent =
      torch::arange(0, width, 2, options) / (-static_cast<double>(width)) * std::log(kBase);
  return torch::outer(t, exponent.exp());
}

Tensor with_columns(const Tensor& x, const Tensor& columns) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes[3] = kAlibiColumns - columns.size(-1);
  const Tensor zeros = torch::zeros(sizes, x.options());
  sizes[3] = columns.size(-1);
  return torch::cat({x, columns.to(x.options()).expand(sizes), zeros}, 3);
}

}  // namespace

std::string position_refusal(const Entry& mechanism, PositionEncoding encoding) {
  if (encoding != PositionEncoding::kAlibi || mechanism.facts.softmax) return "";
  return fmt::format("{} has no logits of queries and keys that alibi could bias", mechanism.name);
}

PositionEncoding default_position(const Entry& mechanism) {
  return mechanism.facts.own_positions ? PositionEncoding::kNone : PositionEncoding::kRope;
}

Tensor Rotary::factors(const Tensor& like, int64_t first, int64_t length) {
  const auto type =
      like.scalar_type() == torch::kFloat64 ? torch::kComplexDouble : torch::kComplexFloat;
  const int64_t known = table_.defined() ? table_.size(0) : 0;
  if (known < first + length || table_.scalar_type() != type || table_.device() != like.device()) {
    const int64_t positions = std::max(2 * known, first + length);
    const Tensor angle = angles(0, positions, head_dim_, like.device());
    table_ = torch::polar(torch::ones_like(angle), angle).to(type);
  }
  return table_.narrow(0, first, length);
}

Tensor Rotary::rotate(const Tensor& x_BHTD, int64_t first) {
  const Tensor x = to_compute(x_BHTD);
  const Tensor pairs = torch::view_as_complex(x.unflatten(3, {head_dim_ / 2, 2}));
  const Tensor turned = pairs * factors(x, first, x.size(2));
  return torch::view_as_real(turned).flatten(3).to(x_BHTD.scalar_type());
}

Tensor sinusoids(int64_t first, int64_t length, int64_t width, torch::Device device) {
  const Tensor angle = angles(first, length, width + width % 2, device);
  return torch::stack({angle.sin(), angle.cos()}, 2).flatten(1).narrow(1, 0, width);
}

Tensor alibi_slopes(int64_t heads, torch::Device device) {
  int64_t power = 1;
  while (2 * power <= heads) power *= 2;
  const auto options = torch::TensorOptions(torch::kFloat64).device(device);
  if (heads < 8) return (torch::arange(heads, options) * -8 / heads - 1).exp2_();
  const Tensor whole = torch::arange(1, power + 1, options) / power;
  if (power == heads) return (whole * -8).exp2_();
  const Tensor between = torch::arange(1, 2 * (heads - power), 2, options) / (2 * power);
  return torch::cat({whole, between}).mul_(-8).exp2_();
}

void widen_for_alibi(Inputs& in, int64_t first_position) {
  const int64_t H = in.query.size(1), S = in.key.size(2);
  const auto width = static_cast<double>(in.query.size(3));
  const double wider = width + kAlibiColumns;
  // The mechanism divides by the square root of the wider width.
  const Tensor slope = alibi_slopes(H, in.query.device()).mul_(std::sqrt(wider));
  in.query = with_columns(in.query * std::sqrt(wider / width),
                          slope.view({1, H, 1, 1}).expand({1, H, 1, 2}));
  const Tensor s = torch::arange(first_position, first_position + S,
                                 torch::TensorOptions(torch::kLong).device(in.key.device()));
  const Tensor low = s.remainder(kExactInBfloat16);
  in.key = with_columns(in.key, torch::stack({s - low, low}, 1).view({1, 1, S, 2}));
  in.value = with_columns(in.value, torch::zeros({1, 1, 1, 0}, in.value.options()));
}

}  // namespace lavo
