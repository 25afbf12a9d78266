// SPDX-License-Identifier: MIT
#include "lavo/lavo_state.h"

namespace lavo {
namespace {

constexpr std::string_view kWindow = "window_";

}  // namespace

State::Named LavoState::named() const {
  Named held;
  const auto add = [&](const RunningMean& mean, const std::string& of) {
    if (!mean.mean().defined()) return;
    held.emplace_back(of + "_mean", mean.mean());
    held.emplace_back(of + "_weight", mean.weight());
  };
  add(key_mean, "key");
  add(value_mean, "value");
  for (const auto& [name, x] : window.named()) held.emplace_back(std::string(kWindow) + name, x);
  return held;
}

bool LavoState::assign(const std::string& name, const Tensor& x) {
  if (name.starts_with(kWindow)) return window.assign(name.substr(kWindow.size()), x);
  for (auto& [of, mean] : {std::pair{"key", &key_mean}, std::pair{"value", &value_mean}}) {
    if (name == std::string(of) + "_mean") {
      mean->set_mean(x);
      return true;
    }
    if (name == std::string(of) + "_weight") {
      mean->set_weight(x);
      return true;
    }
  }
  return false;
}

int64_t LavoState::token_dim(const std::string& name) const {
  return name.starts_with(kWindow) ? window.token_dim(name.substr(kWindow.size())) : -1;
}

void LavoState::merge(const State& next) {
  const auto& later = static_cast<const LavoState&>(next);
  const int64_t tokens = later.position - position;
  key_mean.merge(later.key_mean, tokens);
  value_mean.merge(later.value_mean, tokens);
  window.merge(later.window);
  position = later.position;
}

void LavoState::detach() {
  key_mean.detach();
  value_mean.detach();
  window.detach();
}

}  // namespace lavo
