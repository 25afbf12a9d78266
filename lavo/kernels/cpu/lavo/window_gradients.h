// SPDX-License-Identifier: MIT
// Gradients of the local part, tile of queries by tile of queries from right to left.
#pragma once

#include "lavo/kernels/cpu/lavo/window.h"

namespace lavo::cpu::LAVO_ISA {

/// Gradients of the keys and values that queries still to come may see: a ring by key index, in
/// tiles. What no query to the left sees any more is written out, and its tiles are zeros again.
template <class S>
class KeyGradients {
 public:
  using T = Compute<S>;

  static int64_t ring_size(const LavoCall& call) {
    return larger(kTile, widest_window(call)) + kTile;
  }
  static int64_t scratch_bytes(const LavoCall& call) {
    return Scratch::bytes<T>(ring_size(call) * padded(call.D)) +
           Scratch::bytes<T>(ring_size(call) * padded(call.E));
  }
  KeyGradients(const LavoCall& call, Scratch& scratch) : call_(call), size_(ring_size(call)) {
    key_ = scratch.take<T>(size_ * padded(call.D));
    value_ = scratch.take<T>(size_ * padded(call.E));
  }

  /// Only keys of `span` are written; the first queries see none from `end` on.
  void begin(int64_t b, int64_t h, const Tokens& key, const Tokens& value, Span span, int64_t end) {
    to_key_ = head_of<S>(key, b, h);
    to_value_ = head_of<S>(value, b, h);
    span_ = span;
    left_ = end;
    for (int64_t c = 0; c < size_ * padded(call_.D); ++c) key_[c] = 0;
    for (int64_t c = 0; c < size_ * padded(call_.E); ++c) value_[c] = 0;
  }
  /// (kTile, padded D) and (kTile, padded E) of the keys from `key`, a multiple of kTile, on.
  T* key(int64_t key) const { return key_ + key % size_ * padded(call_.D); }
  T* value(int64_t key) const { return value_ + key % size_ * padded(call_.E); }

  /// Queries from `t` on are done.
  void done_from(int64_t t) {
    // Within a block a query may see keys to its right; the block's first query is the last to
    // come.
    const bool looks_right = call_.window > 0 && !call_.causal;
    write_from(padded(looks_right ? pieces(t, call_.window) * call_.window : t));
  }
  /// Every query is.
  void finish() { write_from(span_.begin); }

 private:
  void write_from(int64_t key) {
    while (left_ > key) {
      const int64_t tile = (left_ - 1) / kTile * kTile, rows = left_ - tile;
      if (tile >= span_.begin && tile < span_.end) {
        store_tile<S>(this->key(tile), rows, call_.D, to_key_.at(tile), to_key_.stride);
        store_tile<S>(value(tile), rows, call_.E, to_value_.at(tile), to_value_.stride);
      }
      for (int64_t c = 0; c < kTile * padded(call_.D); ++c) this->key(tile)[c] = 0;
      for (int64_t c = 0; c < kTile * padded(call_.E); ++c) value(tile)[c] = 0;
      left_ = tile;
    }
  }

  const LavoCall& call_;
  int64_t size_, left_ = 0;
  Span span_{};
  HeadTokens<S> to_key_{}, to_value_{};
  T *key_, *value_;
};

/// Queries that see any key of the span, in whole tiles.
inline Span queries_of(const LavoCall& call, Span keys) {
  if (call.window == 0) return keys;
  const int64_t last = (keys.end - 1) / call.window + call.look_back + 1;
  const int64_t first = call.causal ? keys.begin : keys.begin / call.window * call.window;
  return {first / kTile * kTile, smaller(call.T, padded(last * call.window))};
}

/// Adds the local part's gradients of a tile of queries to those of the queries, keys and values.
template <class S>
class WindowGradients {
 public:
  using T = Compute<S>;

  static int64_t scratch_bytes(const LavoCall& call) {
    return WindowTile<S>::scratch_bytes(call) + 2 * Scratch::bytes<T>(kTile * padded(call.E)) +
           Scratch::bytes<T>(kTile * widest_window(call)) +
           Scratch::bytes<T>(HeadBias<T>::size(call));
  }
  WindowGradients(const LavoCall& call, Scratch& scratch) : call_(call), window_(call, scratch) {
    tile_ = scratch.take<T>(kTile * padded(call.E));
    transposed_ = scratch.take<T>(kTile * padded(call.E));
    logits_ = scratch.take<T>(kTile * widest_window(call));
    bias_ = scratch.take<T>(HeadBias<T>::size(call));
  }

  void begin(int64_t b, int64_t h) {
    window_.set_head(b, h);
    value_ = head_of<S>(call_.value, b, h);
    visible_ = visible_from(call_, b, 0);
    of_factor_ = 0;
    for (int64_t i = 0; i < HeadBias<T>::size(call_); ++i) bias_[i] = 0;
  }

  /// query (rows, padded D) from position t on, of_output (rows, padded E). `of_query` is added to;
  /// null: only the keys gain, for these queries are of another chunk.
  void add(const T* query, const T* of_output, int64_t t, int64_t rows, T* of_query,
           KeyGradients<S>& keys, Ahead* ahead) {
    window_.attend(query, t, rows, T(1), ahead);
    const int64_t D = padded(call_.D), E = padded(call_.E), width = window_.width();
    for (int64_t j = 0; j < window_.used(); j += kTile) {
      load_whole_tile<S>(value_, first_key() + j, window_.key_count(j), call_.E, visible_, tile_);
      transpose_tile(tile_, E, kTile, E, transposed_, kTile);
      multiply<false>(Matrix<T>{of_output, E}, transposed_, kTile, logits_ + j, width, rows, kTile,
                      call_.E, ahead);
    }
    for (int64_t i = 0; i < rows; ++i) row_gradients(t + i, i * width, of_query != nullptr);
    for (int64_t j = 0; j < window_.used(); j += kTile) {
      const int64_t count = window_.key_count(j), key = first_key() + j;
      const Matrix<T> weights{window_.weights() + j, width}, logits{logits_ + j, width};
      multiply<true>(weights.transposed(), of_output, E, keys.value(key), E, count, E, rows);
      multiply<true>(logits.transposed(), query, D, keys.key(key), D, count, D, rows);
      if (of_query) multiply<true>(logits, window_.load_keys(j), D, of_query, D, rows, D, count);
    }
  }

  T of_factor() const { return of_factor_; }
  /// Of the bias, (look_back + 2) window - 1 numbers.
  void write_bias(T* to) const {
    const int64_t length = bias_length(call_), last = window_.bias().index(call_.window - 1);
    for (int64_t i = 0; i < length; ++i) to[i] = bias_[last - i];
  }

 private:
  int64_t first_key() const { return window_.index(window_.keys().begin); }

  /// Weights a and their gradients da -> factor a, and scale times the gradients of the logits.
  void row_gradients(int64_t position, int64_t offset, bool counts) {
    T *a = window_.weights() + offset, *da = logits_ + offset;
    const T factor = window_.factor(), scale = T(1 / __builtin_sqrt(static_cast<double>(call_.D)));
    Vector<T> dots{};
    for (int64_t c = 0; c < window_.used(); c += kLanes<T>) dots += load(a + c) * load(da + c);
    const T dot = sum_of_lanes<T>(dots);
    if (counts) of_factor_ += dot;
    const bool biased = counts && window_.bias().exists();
    T* bias = bias_ + window_.bias().index(window_.keys().begin - position);
    for (int64_t c = 0; c < window_.used(); c += kLanes<T>) {
      const Vector<T> weight = load(a + c) * factor;
      const Vector<T> of_logit = weight * (load(da + c) - dot);
      if (biased) store(bias + c, load(bias + c) + of_logit);
      store(a + c, weight);
      store(da + c, of_logit * scale);
    }
  }

  const LavoCall& call_;
  WindowTile<S> window_;
  HeadTokens<S> value_{};
  const bool* visible_ = nullptr;
  T of_factor_ = 0;
  T *tile_, *transposed_, *logits_, *bias_;
};

}  // namespace lavo::cpu::LAVO_ISA
