// SPDX-License-Identifier: MIT
#include "lavo/parts/key_value_cache.h"

#include <algorithm>

#include "lavo/parts/in_place.h"

namespace lavo {
namespace {

/// A tensor like `x` with `capacity` tokens along `dim`, the stored ones copied to its front.
Tensor regrown(const Tensor& stored, int64_t dim, int64_t capacity) {
  std::vector<int64_t> sizes = stored.sizes().vec();
  sizes[static_cast<size_t>(dim)] = capacity;
  Tensor grown = torch::empty(sizes, stored.options());
  grown.narrow(dim, 0, stored.size(dim)).copy_(stored);
  return grown;
}

}  // namespace

void KeyValueCache::reserve(int64_t more, const Tensor& key, const Tensor& value) {
  if (!key_.defined()) {
    key_ = key.narrow(2, 0, 0);
    value_ = value.narrow(2, 0, 0);
  }
  if (begin_ + length_ + more <= key_.size(2)) return;
  const int64_t capacity = std::max<int64_t>(2 * length_, length_ + more);
  key_ = regrown(stored(key_, 2), 2, capacity);
  value_ = regrown(stored(value_, 2), 2, capacity);
  if (mask_.defined()) mask_ = regrown(stored(mask_, 1), 1, capacity);
  begin_ = 0;
}

void KeyValueCache::append(const Tensor& key, const Tensor& value, const Tensor& mask) {
  const int64_t more = key.size(2);
  if (wants_gradient(key, value) || (key_.defined() && wants_gradient(key_, value_))) {
    join(key, value, mask);
    return;
  }
  reserve(more, key, value);
  if (mask.defined() && !mask_.defined()) {
    mask_ = torch::ones({key_.size(0), key_.size(2)},
                        torch::TensorOptions(torch::kBool).device(key_.device()));
  }
  const int64_t end = begin_ + length_;
  key_.narrow(2, end, more).copy_(key);
  value_.narrow(2, end, more).copy_(value);
  if (mask_.defined()) {
    Tensor tail = mask_.narrow(1, end, more);
    mask.defined() ? tail.copy_(mask) : tail.fill_(true);
  }
  length_ += more;
}

void KeyValueCache::keep_last(int64_t count) {
  const int64_t dropped = std::max<int64_t>(0, length_ - count);
  begin_ += dropped;
  length_ -= dropped;
}

void KeyValueCache::join(const Tensor& key, const Tensor& value, const Tensor& mask) {
  const auto joined = [&](const Tensor& held, const Tensor& more, int64_t dim) {
    return held.defined() ? torch::cat({stored(held, dim), more}, dim) : more;
  };
  if (mask.defined() || mask_.defined()) {
    const auto real = [&](const Tensor& x) {
      return torch::ones({x.size(0), x.size(2)}, key.options().dtype(torch::kBool));
    };
    if (!mask_.defined() && key_.defined()) mask_ = real(key_);
    mask_ = joined(mask_, mask.defined() ? mask : real(key), 1);
  }
  key_ = joined(key_, key, 2);
  value_ = joined(value_, value, 2);
  begin_ = 0;
  length_ = key_.size(2);
}

State::Named KeyValueCache::named() const {
  if (!key_.defined()) return {};
  Named held = {{"key", key()}, {"value", value()}};
  if (mask_.defined()) held.emplace_back("mask", mask());
  return held;
}

bool KeyValueCache::assign(const std::string& name, const Tensor& x) {
  if (name != "key" && name != "value" && name != "mask") return false;
  if (key_.defined() && begin_ + length_ > 0) {  // what else is held moves to the front
    key_ = key();
    value_ = value_.defined() ? value() : value_;
    mask_ = mask();
    begin_ = 0;
  }
  (name == "key" ? key_ : name == "value" ? value_ : mask_) = x;
  length_ = x.size(name == "mask" ? 1 : 2);
  return true;
}

void KeyValueCache::merge(const State& next) {
  const auto& later = static_cast<const KeyValueCache&>(next);
  if (later.key_.defined()) append(later.key(), later.value(), later.mask());
  position = next.position;
}

void KeyValueCache::detach() {
  if (!key_.defined()) return;
  key_ = key_.detach();
  value_ = value_.detach();
}

}  // namespace lavo
