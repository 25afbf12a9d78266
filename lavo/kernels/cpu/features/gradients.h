// SPDX-License-Identifier: MIT
// What both passes of the backward compute of a chunk again. Tokens are rows here.
#pragma once

#include "lavo/kernels/cpu/features/segments.h"

namespace lavo::cpu::LAVO_ISA {

template <class T>
T dot(const T* a, const T* b, int64_t width) {
  Vector<T> sum{};
  for (int64_t c = 0; c < width; c += kLanes<T>) sum += load(a + c) * load(b + c);
  return sum_of_lanes<T>(sum);
}

template <class T>
T sum_of(const T* a, int64_t width) {
  Vector<T> sum{};
  for (int64_t c = 0; c < width; c += kLanes<T>) sum += load(a + c);
  return sum_of_lanes<T>(sum);
}

/// 1 / n_t, and the gradient of c_t, of every token of a head: from the pass over queries to that
/// over keys.
template <class T>
struct TokenScalars {
  T *inverse, *count_gradient;
};

/// A chunk with the gradient of its outputs. With w_tj = exp(l_j - l_t) for j <= t, else 0:
///   scores_tj = w_tj phi_q(t) . phi_k(j)
///   score_gradients_tj = w_tj (g_t . v_j + gc_t 1_j)
/// where g and gc are the gradients of the sums s and c.
template <class S>
class GradientChunk {
 public:
  using T = Compute<S>;

  FeatureLevels<T> levels;
  KeyChunk<S> keys;
  Ahead ahead;                  ///< of the next chunk: what `load` reads, and what a worker adds
  int64_t rows = 0, width = 0;  ///< tokens; the same padded
  T* query;                     ///< (rows, padded M)
  T* key_columns;               ///< (padded M, width)
  T* gradient;                  ///< (rows, padded E)
  T *scores, *score_gradients;  ///< (rows, width), kFeatureChunk apart

  static int64_t scratch_bytes(const FeaturesCall& call) {
    const int64_t M = padded(call.M), E = padded(call.E);
    return FeatureLevels<T>::scratch_bytes() + KeyChunk<S>::scratch_bytes(call) +
           2 * Scratch::bytes<T>(kFeatureChunk * M) + 2 * Scratch::bytes<T>(kFeatureChunk * E) +
           2 * Scratch::bytes<T>(kFeatureChunk * kFeatureChunk);
  }
  GradientChunk(const FeaturesBackward& backward, Scratch& scratch)
      : levels(backward.call, WeightRows::kQueries, scratch),
        keys(backward.call, scratch),
        backward_(backward),
        call_(backward.call),
        M_(padded(call_.M)),
        E_(padded(call_.E)) {
    query = scratch.take<T>(kFeatureChunk * M_);
    key_columns = scratch.take<T>(kFeatureChunk * M_);
    gradient = scratch.take<T>(kFeatureChunk * E_);
    value_columns_ = scratch.take<T>(kFeatureChunk * E_);
    scores = scratch.take<T>(kFeatureChunk * kFeatureChunk);
    score_gradients = scratch.take<T>(kFeatureChunk * kFeatureChunk);
  }

  void set_head(int64_t head) {
    const int64_t b = head / call_.H, h = head % call_.H;
    query_tokens_ = head_of<T>(call_.query, b, h);
    gradient_tokens_ = head_of<S>(backward_.grad_output, b, h);
    levels.set_head(head);
    keys.set_head(b, h);
    ahead.clear();
    ahead.add(query_tokens_.data, query_tokens_.stride, call_.M);
    ahead.add(gradient_tokens_.data, gradient_tokens_.stride, call_.E);
    keys.add_to(ahead);
  }

  /// Everything but the score gradients; `gradient` is that of the outputs.
  void load(int64_t t, int64_t count) {
    rows = count;
    width = padded(count);
    levels.set(t, rows);
    keys.load(t, rows);
    load_chunk<T>(query_tokens_, t, rows, call_.M, nullptr, query);
    load_chunk<S>(gradient_tokens_, t, rows, call_.E, nullptr, gradient);
    transpose_tile(keys.features(), M_, width, M_, key_columns, kFeatureChunk);
    transpose_tile(keys.values(), E_, width, E_, value_columns_, kFeatureChunk);
    multiply<false>(Matrix<T>{query, M_}, key_columns, kFeatureChunk, scores, kFeatureChunk, rows,
                    width, call_.M, &ahead);
    levels.weigh(scores, rows, width);
  }

  /// `gradient` becomes g; score_gradients_tj = g_t . v_j.
  void take_products(const T* inverse) {
    scale_rows(gradient, rows, E_, inverse);
    multiply<false>(Matrix<T>{gradient, E_}, value_columns_, kFeatureChunk, score_gradients,
                    kFeatureChunk, rows, width, call_.E, &ahead);
  }
  /// The rest of them.
  void finish_score_gradients(const T* count_gradient) {
    for (int64_t i = 0; i < rows; ++i) {
      add_scaled(score_gradients + i * kFeatureChunk, width, count_gradient[i], keys.ones());
    }
    levels.weigh(score_gradients, rows, width);
  }

 private:
  const FeaturesBackward& backward_;
  const FeaturesCall& call_;
  int64_t M_, E_;
  HeadTokens<T> query_tokens_{};
  HeadTokens<S> gradient_tokens_{};
  T* value_columns_;
};

}  // namespace lavo::cpu::LAVO_ISA
