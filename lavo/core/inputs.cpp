// SPDX-License-Identifier: MIT
#include "lavo/core/inputs.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr const char* kQueryLetters = "BHTD";
constexpr const char* kKeyLetters = "BHSD";
constexpr const char* kValueLetters = "BHSE";

}  // namespace

LayerRule::Start uniform(double low, double high) {
  return [=](at::IntArrayRef sizes, at::Generator& generator) {
    return torch::empty(sizes, torch::kFloat32).uniform_(low, high, generator);
  };
}

LayerRule::Start normal() {
  return [](at::IntArrayRef sizes, at::Generator& generator) {
    return torch::randn(sizes, generator, torch::kFloat32);
  };
}

LayerRule::Start constant(double value) {
  return [=](at::IntArrayRef sizes, at::Generator&) {
    return torch::full(sizes, value, torch::kFloat32);
  };
}

const char* pattern_name(Pattern pattern) {
  static constexpr std::array names = {"NS", "CS", "NC", "CC"};
  return names.at(static_cast<size_t>(pattern));
}

const char* pattern_text(Pattern pattern) {
  static constexpr std::array names = {"noncausal self", "causal self", "noncausal cross",
                                       "causal cross"};
  return names.at(static_cast<size_t>(pattern));
}

int64_t token_dim(const std::string& letters) {
  const size_t at = letters.find_first_of("TS");
  return at == std::string::npos ? -1 : static_cast<int64_t>(at);
}

Shape Inputs::shape() const {
  return {.B = query.size(0),
          .H = std::max(query.size(1), value.size(1)),
          .T = query.size(2),
          .S = key.size(2),
          .D = query.size(3),
          .E = value.size(3),
          .element_bytes = static_cast<int64_t>(query.element_size())};
}

Pattern Inputs::pattern() const { return pattern_of(causal, is_cross()); }

Tensor Inputs::operator[](const std::string& name) const {
  const auto found = extra.find(name);
  return found == extra.end() ? Tensor() : found->second.tensor;
}

void Inputs::each(const std::function<void(const std::string&, Tensor&, const std::string&)>& f) {
  f("query", query, kQueryLetters);
  f("key", key, kKeyLetters);
  f("value", value, kValueLetters);
  for (auto& [name, given] : extra) f(name, given.tensor, given.letters);
}

void Inputs::each(const std::function<void(Tensor&)>& f) {
  each([&](const std::string&, Tensor& x, const std::string&) { f(x); });
}

Inputs Inputs::narrow(int64_t t, int64_t count) const {
  Inputs piece = *this;
  piece.each([&](const std::string&, Tensor& x, const std::string& letters) {
    if (const int64_t dim = token_dim(letters); dim >= 0) x = x.narrow(dim, t, count);
  });
  if (key_mask.defined()) piece.key_mask = key_mask.narrow(1, t, count);
  return piece;
}

Inputs Inputs::to(torch::ScalarType type) const {
  Inputs copy = *this;
  copy.each([&](Tensor& x) { x = x.to(type); });
  return copy;
}

Inputs Inputs::to(torch::Device device) const {
  Inputs copy = *this;
  copy.each([&](Tensor& x) { x = x.to(device); });
  if (key_mask.defined()) copy.key_mask = key_mask.to(device);
  return copy;
}

Inputs Inputs::leaves() const {
  Inputs copy = *this;
  copy.each([](Tensor& x) { x = x.detach().clone().requires_grad_(); });
  return copy;
}

bool Inputs::requires_grad() const {
  bool any = false;
  Inputs(*this).each([&](Tensor& x) { any = any || x.requires_grad(); });
  return any;
}

Tensor hide_rows(const Tensor& x, const Tensor& mask_BS, int64_t length_dim, double fill) {
  std::vector<int64_t> view(static_cast<size_t>(x.dim()), 1);
  view[0] = mask_BS.size(0);
  view[static_cast<size_t>(length_dim)] = mask_BS.size(1);
  return x.masked_fill(mask_BS.logical_not().view(view), fill);
}

Inputs hide_padding(Inputs in, const std::vector<InputSpec>& specs) {
  if (!in.key_mask.defined()) return in;
  in.key = hide_rows(in.key, in.key_mask, 2);
  in.value = hide_rows(in.value, in.key_mask, 2);
  for (const InputSpec& spec : specs) {
    const size_t dim = spec.letters.find('S');
    if (dim == std::string::npos) continue;
    Tensor& x = in.extra.at(spec.name).tensor;
    x = hide_rows(x, in.key_mask, static_cast<int64_t>(dim), spec.neutral);
  }
  return in;
}

Inputs with_all_heads(Inputs in) {
  const int64_t H = in.shape().H;
  in.each([&](const std::string&, Tensor& x, const std::string& letters) {
    const size_t at = letters.find('H');
    if (at == std::string::npos) return;
    const auto dim = static_cast<int64_t>(at);
    const int64_t own = x.size(dim);
    if (own != H) x = x.repeat_interleave(H / own, dim, H);
  });
  return in;
}

torch::ScalarType compute_type(torch::ScalarType type) {
  return type == torch::kFloat16 || type == torch::kBFloat16 ? torch::kFloat32 : type;
}

std::string sizes_text(const Tensor& x) {
  return x.defined() ? fmt::format("[{}]", fmt::join(x.sizes(), ", ")) : "nothing";
}

}  // namespace lavo
