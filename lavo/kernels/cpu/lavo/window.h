// SPDX-License-Identifier: MIT
// The local part of a tile of queries: logits against the keys of its windows.
#pragma once

#include "lavo/kernels/cpu/lavo/view.h"

namespace lavo::cpu::LAVO_ISA {

/// A tile of kTile tokens from `token` on, of which `rows` exist: zeros in the others.
template <class S>
void load_whole_tile(const HeadTokens<S>& tokens, int64_t token, int64_t rows, int64_t width,
                     const bool* visible, Compute<S>* tile) {
  load_tile<S>(tokens.at(token), tokens.stride, rows, width, visible ? visible + token : nullptr,
               tile);
  for (int64_t c = rows * padded(width); c < kTile * padded(width); ++c) tile[c] = 0;
}

/// Positions of keys [begin, end).
struct KeyRange {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

inline KeyRange window_of(const LavoCall& call, int64_t position) {
  const int64_t block = position / call.window;
  const int64_t first_key = call.first - call.past;
  return {larger(first_key, (block - call.look_back) * call.window),
          smaller(call.causal ? position + 1 : (block + 1) * call.window, first_key + call.S)};
}

/// Keys that a tile of queries can see, at most.
inline int64_t widest_window(const LavoCall& call) {
  if (call.window == 0) return 0;
  const int64_t blocks = (call.look_back + 2) * call.window;  // a tile may begin inside a block
  return padded(smaller(call.S, blocks + 2 * kTile));
}

inline int64_t bias_length(const LavoCall& call) { return (call.look_back + 2) * call.window - 1; }

/// The bias of a head from the farthest future to the farthest past, between zeros: element
/// j - t + zero() is that of key j for query t, and a vector may be read around any key in sight.
template <class T>
class HeadBias {
 public:
  static int64_t size(const LavoCall& call) {
    return call.bias ? bias_length(call) + 2 * kMargin : 0;
  }
  void set(const LavoCall& call, int64_t head, T* storage) {
    zero_ = kMargin + (call.look_back + 1) * call.window - 1;
    reversed_ = call.bias ? storage : nullptr;
    if (!reversed_) return;
    const int64_t length = bias_length(call);
    const T* bias = static_cast<const T*>(call.bias) + head * length;
    for (int64_t i = 0; i < size(call); ++i) storage[i] = 0;
    for (int64_t i = 0; i < length; ++i) storage[kMargin + i] = bias[length - 1 - i];
  }
  bool exists() const { return reversed_ != nullptr; }
  const T* at(int64_t key_minus_query) const { return reversed_ + key_minus_query + zero_; }
  int64_t index(int64_t key_minus_query) const { return key_minus_query + zero_; }

 private:
  static constexpr int64_t kMargin = 2 * kTile;
  const T* reversed_ = nullptr;
  int64_t zero_ = 0;
};

/// The weights of a tile's queries on the keys of their windows.
template <class S>
class WindowTile {
 public:
  using T = Compute<S>;

  static int64_t scratch_bytes(const LavoCall& call) {
    const int64_t width = widest_window(call), D = padded(call.D);
    return 2 * Scratch::bytes<T>(kTile * D) + Scratch::bytes<T>(kTile * width) +
           Scratch::bytes<T>(width) + Scratch::bytes<T>(HeadBias<T>::size(call));
  }
  WindowTile(const LavoCall& call, Scratch& scratch) : call_(call), width_(widest_window(call)) {
    tile_ = scratch.take<T>(kTile * padded(call.D));
    transposed_ = scratch.take<T>(kTile * padded(call.D));
    weights_ = scratch.take<T>(kTile * width_);
    hidden_ = scratch.take<T>(width_);
    bias_storage_ = scratch.take<T>(HeadBias<T>::size(call));
  }

  void set_head(int64_t b, int64_t h) {
    key_ = head_of<S>(call_.key, b, h);
    visible_ = visible_from(call_, b, 0);
    bias_.set(call_, h, bias_storage_);
    factor_ = static_cast<const T*>(call_.weights)[call_.H + h];
  }

  /// Weights of queries q (rows, padded D), the first of which is at `position`, times `factor`.
  /// Meanwhile fetches rows of `ahead`.
  void attend(const T* q, int64_t position, int64_t rows, T factor, Ahead* ahead) {
    const KeyRange first = window_of(call_, position), last = window_of(call_, position + rows - 1);
    const int64_t begin = index(first.begin);
    keys_ = {first.begin - begin % kTile, last.end};  // whole tiles of keys, whatever the window
    const int64_t D = padded(call_.D);
    used_ = padded(keys_.size());
    for (int64_t j = 0; j < used_; j += kTile) {
      load_keys(j);
      hide_keys(j);
      transpose_tile(tile_, D, kTile, D, transposed_, kTile);
      multiply<false>(Matrix<T>{q, D}, transposed_, kTile, weights_ + j, width_, rows, kTile,
                      call_.D, ahead);
    }
    const T scale = T(1 / __builtin_sqrt(static_cast<double>(call_.D)));
    for (int64_t i = 0; i < rows; ++i) {
      T* row = weights_ + i * width_;
      ahead->fetch_row();
      mask_row(row, position + i, scale);
      softmax_row(row, used_, factor);
    }
  }

  /// Of the head: the weight of the local part.
  T factor() const { return factor_; }
  /// (rows, used()) `width()` apart, by key from keys().begin on: tiles of kTile by key index.
  T* weights() const { return weights_; }
  int64_t width() const { return width_; }
  int64_t used() const { return used_; }
  KeyRange keys() const { return keys_; }
  const HeadBias<T>& bias() const { return bias_; }
  /// Index in the key tensor of the key at a position.
  int64_t index(int64_t position) const { return position - (call_.first - call_.past); }

  /// (kTile, padded D): the keys from the j-th of `keys()` on, zeros after the last.
  const T* load_keys(int64_t j) {
    const int64_t key = index(keys_.begin + j);
    load_whole_tile<S>(key_, key, key_count(j), call_.D, visible_, tile_);
    return tile_;
  }
  int64_t key_count(int64_t j) const { return smaller(kTile, keys_.size() - j); }

 private:
  void hide_keys(int64_t j) {
    if (!visible_) return;
    const bool* visible = visible_ + index(keys_.begin + j);
    for (int64_t i = 0; i < kTile; ++i) {
      hidden_[j + i] = i < key_count(j) && visible[i] ? T(0) : -T(__builtin_inf());
    }
  }

  /// Scaled and biased; -inf where the query does not see.
  void mask_row(T* row, int64_t position, T scale) {
    using Index = decltype(lane_numbers<T>());
    using Number = decltype(Index{}[0] + 0);
    const KeyRange seen = window_of(call_, position);
    const auto begin = static_cast<Number>(seen.begin - keys_.begin);
    const auto end = static_cast<Number>(seen.end - keys_.begin);
    const T* bias = bias_.exists() ? bias_.at(keys_.begin - position) : nullptr;
    for (int64_t c = 0; c < used_; c += kLanes<T>) {
      const Index column = lane_numbers<T>() + static_cast<Number>(c);
      Vector<T> z = load(row + c) * scale;
      if (bias) z += load(bias + c);
      if (visible_) z += load(hidden_ + c);
      store(row + c, ((column >= begin) & (column < end)) ? z : broadcast(-T(__builtin_inf())));
    }
  }

  const LavoCall& call_;
  int64_t width_;
  HeadTokens<S> key_{};
  const bool* visible_ = nullptr;
  HeadBias<T> bias_;
  KeyRange keys_{};
  int64_t used_ = 0;
  T factor_ = 0;
  T *tile_, *transposed_, *weights_, *hidden_, *bias_storage_;
};

}  // namespace lavo::cpu::LAVO_ISA
