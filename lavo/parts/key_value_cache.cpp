// SPDX-License-Identifier: MIT
#include "lavo/parts/key_value_cache.h"

#include <algorithm>

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
    key_ = key.narrow(2, 0, 0).detach();
    value_ = value.narrow(2, 0, 0).detach();
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
  reserve(more, key, value);
  if (mask.defined() && !mask_.defined()) {
    mask_ = torch::ones({key_.size(0), key_.size(2)},
                        torch::TensorOptions(torch::kBool).device(key_.device()));
  }
  const int64_t end = begin_ + length_;
  key_.narrow(2, end, more).copy_(key.detach());
  value_.narrow(2, end, more).copy_(value.detach());
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

std::vector<Tensor> KeyValueCache::tensors() const {
  if (!key_.defined()) return {};
  std::vector<Tensor> held = {key(), value()};
  if (mask_.defined()) held.push_back(mask());
  return held;
}

}  // namespace lavo
