// SPDX-License-Identifier: MIT
#include "lavo/core/state.h"

#include <algorithm>

#include "lavo/core/check.h"

namespace lavo {

void State::merge(const State&) { fail("this state cannot be merged with the one behind it"); }

std::vector<Tensor> State::tensors() const {
  std::vector<Tensor> result;
  for (const auto& [name, x] : named()) result.push_back(x);
  return result;
}

int64_t State::bytes() const {
  int64_t total = 0;
  for (const Tensor& x : tensors()) total += x.numel() * x.element_size();
  return total;
}

bool State::requires_grad() const {
  return std::ranges::any_of(tensors(), [](const Tensor& x) { return x.requires_grad(); });
}

NamedState::NamedState(std::vector<std::string> names) {
  for (std::string& name : names) held_.emplace_back(std::move(name), Tensor());
}

State::Named NamedState::named() const {
  Named defined;
  for (const auto& item : held_) {
    if (item.second.defined()) defined.push_back(item);
  }
  return defined;
}

bool NamedState::assign(const std::string& name, const Tensor& x) {
  const auto found = std::ranges::find(held_, name, &Named::value_type::first);
  if (found == held_.end()) return false;
  found->second = x;
  return true;
}

void NamedState::detach() {
  for (auto& [name, x] : held_) {
    if (x.defined()) x = x.detach();
  }
}

Tensor& NamedState::operator[](const std::string& name) {
  const auto found = std::ranges::find(held_, name, &Named::value_type::first);
  require<Error>(found != held_.end(), "a state without '{}' was asked for it", name);
  return found->second;
}

Tensor NamedState::or_zeros(NamedState* state, const std::string& name, at::IntArrayRef sizes,
                            const torch::TensorOptions& options) {
  const Tensor held = state ? (*state)[name] : Tensor();
  return held.defined() ? held.to(options) : torch::zeros(sizes, options);
}

bool NamedState::is_empty() const {
  return std::ranges::none_of(held_, [](const auto& item) { return item.second.defined(); });
}

}  // namespace lavo
