// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

/// The last keys, values and mask of a stream. Grows by doubling, so that a token costs O(1) copies
/// on average; where gradients are wanted each piece is joined in new tensors.
struct KeyValueCache final : State {
  void append(const Tensor& key_BHSD, const Tensor& value_BHSE, const Tensor& mask_BS);
  /// Drops all but the last `count` tokens.
  void keep_last(int64_t count);

  Tensor key() const { return stored(key_, 2); }
  Tensor value() const { return stored(value_, 2); }
  /// [B, S] bool, or undefined while no mask has been given.
  Tensor mask() const { return mask_.defined() ? stored(mask_, 1) : Tensor(); }
  int64_t length() const { return length_; }
  Named named() const override;  ///< key, value, mask
  bool assign(const std::string& name, const Tensor& x) override;
  int64_t token_dim(const std::string& name) const override { return name == "mask" ? 1 : 2; }
  void merge(const State& next) override;
  void detach() override;

 private:
  Tensor stored(const Tensor& x, int64_t dim) const { return x.narrow(dim, begin_, length_); }
  void reserve(int64_t more, const Tensor& key, const Tensor& value);
  /// As append, where gradients are wanted: in new tensors.
  void join(const Tensor& key, const Tensor& value, const Tensor& mask);

  Tensor key_, value_, mask_;
  int64_t begin_ = 0, length_ = 0;
};

}  // namespace lavo
