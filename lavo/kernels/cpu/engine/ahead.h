// SPDX-License-Identifier: MIT
// Memory that will be touched soon, asked for while something else is computed.
#pragma once

#include "lavo/kernels/cpu/engine/vector.h"

namespace lavo::cpu::LAVO_ISA {

/// Tokens that a kernel reads or writes next, brought into the cache one at a time between blocks
/// of the products of the tokens before them. All at once they fill the queue of misses, and what
/// is computed waits behind them. So does a store to a line that is not there yet.
class Ahead {
 public:
  /// Forgets all tensors.
  void clear() { tensors_ = left_ = 0; }
  /// One more tensor: its rows of `width` numbers begin at `data` and lie `stride` numbers apart.
  template <class S>
  void add(const S* data, int64_t stride, int64_t width) {
    rows_[tensors_++] = {reinterpret_cast<const char*>(data), stride * int64_t{sizeof(S)},
                         width * int64_t{sizeof(S)}};
  }
  /// What comes next: the rows [begin, end) of every tensor; none if that is empty.
  void set(int64_t begin, int64_t end) {
    next_ = begin;
    left_ = end - begin;
  }
  /// Asks for one row of every tensor.
  LAVO_INLINE void fetch_row() {
    if (left_ <= 0) return;
    for (int64_t i = 0; i < tensors_; ++i) {
      const char* row = rows_[i].data + next_ * rows_[i].stride;
      for (int64_t at = 0; at < rows_[i].bytes; at += kLine) __builtin_prefetch(row + at);
    }
    ++next_;
    --left_;
  }

 private:
  static constexpr int64_t kLine = 64;  // bytes of a cache line
  static constexpr int64_t kTensors = 7;
  struct Rows {
    const char* data;
    int64_t stride, bytes;
  };
  Rows rows_[kTensors]{};
  int64_t tensors_ = 0, next_ = 0, left_ = 0;
};

}  // namespace lavo::cpu::LAVO_ISA
