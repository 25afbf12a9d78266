// SPDX-License-Identifier: MIT
// The sums over tokens that stand for all earlier (or, in the backward pass, all later) ones.
#pragma once

#include "lavo/kernels/cpu/features/levels.h"

namespace lavo::cpu::LAVO_ISA {

/// `rows` tokens of a chunk, (padded rows, padded width).
template <class S>
void load_chunk(const HeadTokens<S>& tokens, int64_t t, int64_t rows, int64_t width,
                const bool* visible, Compute<S>* tile) {
  load_tile<S>(tokens.at(t), tokens.stride, rows, width, visible, tile);
  for (int64_t c = rows * padded(width); c < padded(rows) * padded(width); ++c) tile[c] = 0;
}

template <class T>
void scale_numbers(T* x, int64_t count, const T* factors) {
  for (int64_t c = 0; c < count; c += kLanes<T>) store(x + c, load(x + c) * load(factors + c));
}

/// x += factor y
template <class T>
void add_scaled(T* x, int64_t count, T factor, const T* y) {
  for (int64_t c = 0; c < count; c += kLanes<T>) store(x + c, load(x + c) + factor * load(y + c));
}

template <class T>
void scale_rows(T* tile, int64_t rows, int64_t width, const T* factors) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = i * width; c < (i + 1) * width; c += kLanes<T>) {
      store(tile + c, load(tile + c) * factors[i]);
    }
  }
}

/// to += factor (from + lost), where `lost` is what rounding has taken from `from`; then it is what
/// rounding took from `to` (Knuth's TwoSum).
template <class T>
void add_compensated(T* to, int64_t count, T factor, const T* from, T* lost) {
  for (int64_t c = 0; c < count; c += kLanes<T>) {
    const Vector<T> a = factor * load(from + c), b = load(to + c) + factor * load(lost + c);
    const Vector<T> sum = a + b, added = sum - a;
    store(lost + c, (a - (sum - added)) + (b - added));
    store(to + c, sum);
  }
}

/// sum_i [x_i, y_i] f_i^T over tokens i, (E + 1, padded M): the last row is that of the y.
///
/// Tokens one by one would lose digits where their terms are alike, for then the roundings are too:
/// 1e-4 after 2^18 tokens. The latest ones are summed apart, and go to the others with
/// compensation.
template <class T>
class FeatureSums {
 public:
  static int64_t size(const FeaturesCall& call) { return (call.E + 1) * padded(call.M); }
  static int64_t scratch_bytes(const FeaturesCall& call) {
    return 4 * Scratch::bytes<T>(size(call));
  }
  FeatureSums(const FeaturesCall& call, Scratch& scratch)
      : M_(call.M),
        E_(call.E),
        width_(padded(M_)),
        size_(size(call)),
        data_(scratch.take<T>(size_)),
        earlier_(scratch.take<T>(size_)),
        lost_(scratch.take<T>(size_)),
        latest_(scratch.take<T>(size_)) {}

  const T* data() const { return data_; }
  const T* last_row() const { return data_ + E_ * width_; }
  /// What rounding took from the sums until they were loaded or settled.
  const T* lost() const { return lost_; }

  /// From rows of M numbers, to the last digit; zeros from none.
  void load_from(const double* from) {
    clear();
    if (!from) return;
    for (int64_t e = 0; e <= E_; ++e) {
      for (int64_t m = 0; m < M_; ++m) {
        const double exact = from[e * M_ + m];
        const int64_t i = e * width_ + m;
        data_[i] = earlier_[i] = static_cast<T>(exact);
        lost_[i] = static_cast<T>(exact - static_cast<double>(earlier_[i]));
      }
    }
  }
  /// `lost`: what rounding took from them, null: nothing.
  void copy_from(const T* sums, const T* lost = nullptr) {
    for (int64_t i = 0; i < size_; ++i) {
      data_[i] = earlier_[i] = sums[i];
      lost_[i] = lost ? lost[i] : T(0);
      latest_[i] = 0;
    }
    additions_ = 0;
  }
  void copy_to(T* sums) const {
    for (int64_t i = 0; i < size_; ++i) sums[i] = data_[i];
  }
  /// To rows of M numbers, with what the sums have lost.
  void store_to(double* to) const {
    for (int64_t e = 0; e <= E_; ++e) {
      for (int64_t m = 0; m < M_; ++m) {
        const int64_t i = e * width_ + m;
        to[e * M_ + m] = static_cast<double>(earlier_[i]) + static_cast<double>(latest_[i]) +
                         static_cast<double>(lost_[i]);
      }
    }
  }
  void clear() {
    for (int64_t i = 0; i < size_; ++i) data_[i] = earlier_[i] = lost_[i] = latest_[i] = 0;
    additions_ = 0;
  }

  /// factor sums + [x, y]^T f, of x (rows, padded E), y (rows), f (rows, padded M).
  void add(T factor, const T* x, const T* y, const T* features, int64_t rows) {
    if (factor != 1) {
      scale(earlier_, factor);
      scale(lost_, factor);
      scale(latest_, factor);
    }
    multiply<true>(Matrix<T>{x, padded(E_)}.transposed(), features, width_, latest_, width_, E_,
                   width_, rows);
    multiply<true>(Matrix<T>{y, 0}, features, width_, latest_ + E_ * width_, width_, 1, width_,
                   rows);
    if (++additions_ == kTogether) settle();
    for (int64_t i = 0; i < size_; i += kLanes<T>) {
      store(data_ + i, load(earlier_ + i) + load(latest_ + i));
    }
  }

 private:
  static constexpr int kTogether = 8;  // chunks

  void scale(T* part, T factor) {
    for (int64_t i = 0; i < size_; i += kLanes<T>) store(part + i, load(part + i) * factor);
  }
  void settle() {
    add_compensated(latest_, size_, T(1), earlier_, lost_);
    T* sums = latest_;
    latest_ = earlier_;
    earlier_ = sums;
    for (int64_t i = 0; i < size_; ++i) latest_[i] = 0;
    additions_ = 0;
  }

  int64_t M_, E_, width_, size_;
  T *data_, *earlier_, *lost_, *latest_;  // data = earlier + latest
  int additions_ = 0;
};

/// Keys and values of a chunk. Hidden ones are zeros.
template <class S>
class KeyChunk {
 public:
  using T = Compute<S>;
  static int64_t scratch_bytes(const FeaturesCall& call) {
    return Scratch::bytes<T>(kFeatureChunk * padded(call.M)) +
           Scratch::bytes<T>(kFeatureChunk * padded(call.E)) + Scratch::bytes<T>(kFeatureChunk);
  }
  KeyChunk(const FeaturesCall& call, Scratch& scratch) : call_(call) {
    features_ = scratch.take<T>(kFeatureChunk * padded(call.M));
    values_ = scratch.take<T>(kFeatureChunk * padded(call.E));
    ones_ = scratch.take<T>(kFeatureChunk);
  }

  void set_head(int64_t b, int64_t h) {
    key_ = head_of<T>(call_.key, b, h);
    value_ = head_of<S>(call_.value, b, h);
    visible_ = call_.visible ? call_.visible + b * call_.T : nullptr;
  }
  /// What `load` reads of the head.
  void add_to(Ahead& ahead) const {
    ahead.add(key_.data, key_.stride, call_.M);
    ahead.add(value_.data, value_.stride, call_.E);
  }
  void load(int64_t t, int64_t rows) {
    const bool* visible = visible_ ? visible_ + t : nullptr;
    load_chunk<T>(key_, t, rows, call_.M, visible, features_);
    load_chunk<S>(value_, t, rows, call_.E, visible, values_);
    for (int64_t i = 0; i < kFeatureChunk; ++i) {
      ones_[i] = i < rows && (!visible || visible[i]) ? T(1) : T(0);
    }
  }
  /// Values and ones times the factors to the level of the chunk's end.
  void scale_to_end(const FeatureLevels<T>& levels, int64_t rows) {
    if (levels.flat()) return;
    scale_rows(values_, rows, padded(call_.E), levels.to_end());
    scale_numbers(ones_, kFeatureChunk, levels.to_end());
  }
  /// Scaled to the end: into the sums of all keys up to it.
  void add_to(FeatureSums<T>& sums, const FeatureLevels<T>& levels, int64_t rows) const {
    sums.add(levels.decay(), values_, ones_, features_, rows);
  }

  const T* features() const { return features_; }  ///< (rows, padded M)
  const T* values() const { return values_; }      ///< (rows, padded E)
  const T* ones() const { return ones_; }          ///< 1 where the key is visible

 private:
  const FeaturesCall& call_;
  HeadTokens<T> key_{};
  HeadTokens<S> value_{};
  const bool* visible_ = nullptr;
  T *features_, *values_, *ones_;
};

}  // namespace lavo::cpu::LAVO_ISA
