// SPDX-License-Identifier: MIT
// Levels of the tokens of a chunk: the factors between them, none of which is above 1.
#pragma once

#include "lavo/kernels/cpu/engine/token_view.h"
#include "lavo/kernels/cpu/features/call.h"

namespace lavo::cpu::LAVO_ISA {

template <class T>
LAVO_INLINE T exp_of(T x) {
  return exp<T>(broadcast(x))[0];
}

/// What the rows of a chunk's weights are; the columns are the others.
enum class WeightRows { kQueries, kKeys };

template <class T>
class FeatureLevels {
 public:
  static int64_t scratch_bytes() {
    return Scratch::bytes<T>(kFeatureChunk * kFeatureChunk) + 3 * Scratch::bytes<T>(kFeatureChunk);
  }
  FeatureLevels(const FeaturesCall& call, WeightRows rows, Scratch& scratch)
      : call_(call), rows_(rows) {
    weights_ = scratch.take<T>(kFeatureChunk * kFeatureChunk);
    level_ = scratch.take<T>(kFeatureChunk);
    from_before_ = scratch.take<T>(kFeatureChunk);
    to_end_ = scratch.take<T>(kFeatureChunk);
    for (int64_t i = 0; i < kFeatureChunk; ++i) level_[i] = 0;
    compute(0, 0);
  }

  void set_head(int64_t head) {
    if (!call_.level) return;
    token_level_ = static_cast<const T*>(call_.level) + head * call_.T;
    before_ = static_cast<const T*>(call_.sum_level)[head];
  }

  /// The chunk of `rows` tokens from t on.
  void set(int64_t t, int64_t rows) {
    if (!call_.level) return;
    const T begin = before(t), end = before(t + rows);
    if (flat_ && begin == end) return;
    for (int64_t i = 0; i < kFeatureChunk; ++i) level_[i] = i < rows ? token_level_[t + i] : end;
    compute(begin, end);
  }

  /// From the level in front of token `begin` to that in front of `end`.
  T between(int64_t begin, int64_t end) const {
    return call_.level ? exp_of(before(begin) - before(end)) : T(1);
  }

  /// All factors are 1.
  bool flat() const { return flat_; }
  T decay() const { return decay_; }                     ///< from the chunk's begin to its end
  const T* from_before() const { return from_before_; }  ///< from its begin to each token
  const T* to_end() const { return to_end_; }            ///< from each token to its end

  /// Products of queries and keys: times the factor from key to query, 0 where the key is later.
  void weigh(T* products, int64_t rows, int64_t width) const {
    for (int64_t i = 0; i < rows * kFeatureChunk; i += kFeatureChunk) {
      for (int64_t c = i; c < i + width; c += kLanes<T>) {
        const Vector<T> weight = load(weights_ + c);
        store(products + c, weight == T(0) ? Vector<T>{} : weight * load(products + c));
      }
    }
  }

 private:
  T before(int64_t t) const { return t == 0 ? before_ : token_level_[t - 1]; }

  void compute(T begin, T end) {
    flat_ = begin == end;
    decay_ = exp_of(begin - end);
    const T sign = rows_ == WeightRows::kQueries ? T(1) : T(-1);
    for (int64_t c = 0; c < kFeatureChunk; c += kLanes<T>) {
      store(from_before_ + c, exp<T>(begin - load(level_ + c)));
      store(to_end_ + c, exp<T>(load(level_ + c) - end));
    }
    for (int64_t i = 0; i < kFeatureChunk; ++i) {
      T* row = weights_ + i * kFeatureChunk;
      for (int64_t c = 0; c < kFeatureChunk; c += kLanes<T>) {
        const Vector<T> difference = sign * (load(level_ + c) - level_[i]);
        store(row + c, exp<T>(difference > T(0) ? Vector<T>{} : difference));
      }
      const int64_t begin_zero = rows_ == WeightRows::kQueries ? i + 1 : 0;
      const int64_t end_zero = rows_ == WeightRows::kQueries ? kFeatureChunk : i;
      for (int64_t c = begin_zero; c < end_zero; ++c) row[c] = 0;
    }
  }

  const FeaturesCall& call_;
  WeightRows rows_;
  const T* token_level_ = nullptr;
  T before_ = 0, decay_ = 1;
  bool flat_ = true;
  T *weights_, *level_, *from_before_, *to_end_;
};

}  // namespace lavo::cpu::LAVO_ISA
