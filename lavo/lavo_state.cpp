// SPDX-License-Identifier: MIT
#include "lavo/lavo_state.h"

namespace lavo {
namespace {

constexpr std::string_view kWindow = "window_", kSlot = "slot_";
constexpr std::string_view kAddressed = "address_value";  // the one without a name

}  // namespace

State::Named LavoState::named() const {
  Named held;
  if (key_mean.mean().defined()) held.emplace_back("key_mean", key_mean.mean());
  if (value_mean.mean().defined()) {
    held.emplace_back("value_mean", value_mean.mean());
    held.emplace_back("weight", value_mean.weight());
  }
  for (const auto& [name, x] : addressed->named()) {
    held.emplace_back(name.empty() ? std::string(kAddressed) : std::string(kSlot) + name, x);
  }
  for (const auto& [name, x] : window.named()) held.emplace_back(std::string(kWindow) + name, x);
  return held;
}

bool LavoState::assign(const std::string& name, const Tensor& x) {
  if (name.starts_with(kWindow)) return window.assign(name.substr(kWindow.size()), x);
  if (name.starts_with(kSlot)) return addressed->assign(name.substr(kSlot.size()), x);
  if (name == kAddressed) return addressed->assign("", x);
  // Copies: kernels advance them in place.
  if (name == "key_mean") key_mean.set_mean(x.clone());
  if (name == "value_mean") value_mean.set_mean(x.clone());
  if (name == "weight") {
    key_mean.set_weight(x.clone());
    value_mean.set_weight(x.clone());
  }
  return name == "key_mean" || name == "value_mean" || name == "weight";
}

int64_t LavoState::token_dim(const std::string& name) const {
  return name.starts_with(kWindow) ? window.token_dim(name.substr(kWindow.size())) : -1;
}

void LavoState::merge(const State& next) {
  if (!addressed->is_empty()) return State::merge(next);
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
  addressed->detach();
  window.detach();
}

}  // namespace lavo
