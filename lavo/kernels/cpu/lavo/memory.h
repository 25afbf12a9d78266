// SPDX-License-Identifier: MIT
// The global part of a tile of queries: means, and the softmax over the rows of the memory.
#pragma once

#include "lavo/kernels/cpu/lavo/means.h"

namespace lavo::cpu::LAVO_ISA {

/// Means for the tiles of one chunk, in the order of the tokens.
template <class S>
class MeanTiles {
 public:
  using T = Compute<S>;

  static int64_t scratch_bytes(const LavoCall& call) {
    const int64_t R = padded(call.R);
    return Scratch::bytes<T>(kTile * input_width(call)) + 2 * Scratch::bytes<T>(kTile * R) +
           5 * Scratch::bytes<T>(R) + Scratch::bytes<T>(kTile);
  }
  MeanTiles(const LavoCall& call, const Starts<S>& starts, const LavoStream& stream,
            Scratch& scratch)
      : call_(call), starts_(starts), stream_(stream), R_(padded(call.R)) {
    input_ = scratch.take<T>(kTile * input_width(call));
    decay_ = scratch.take<T>(R_);
    inverse_ = scratch.take<T>(kTile);
    for (Track& track : tracks_) {
      track.tile = scratch.take<T>(kTile * R_);
      track.mean = scratch.take<T>(R_);
      track.since = scratch.take<T>(R_);
    }
    load_decay(call, decay_);
  }

  void begin(int64_t b, int64_t h, int64_t chunk, const T* project) {
    b_ = b, h_ = h, chunk_ = chunk, project_ = project;
    visible_ = visible_from(call_, b, mean_first(call_));
    count_ = starts_.count(b, chunk);
    for (int64_t s = 0; s < mean_sources(call_); ++s) {
      Track& track = tracks_[s];
      if (call_.mean == MeanKind::kDecaying) {
        begin_decaying(track, s);
      } else {
        track.start = starts_.of(b, h, s, chunk);
        for (int64_t r = 0; r < R_; ++r) track.since[r] = 0;
      }
    }
  }

  /// Advances by the tokens [t, t + rows), counted from the first query.
  void advance(int64_t t, int64_t rows, Ahead* ahead) {
    if (call_.mean == MeanKind::kWhole) return;
    const SourceTokens<S> tokens(call_, b_, h_);
    const bool* visible = visible_ ? visible_ + t : nullptr;
    if (call_.mean == MeanKind::kRunning) {
      for (int64_t i = 0; i < rows; ++i) {
        count_ += visible ? visible[i] : 1;
        inverse_[i] = count_ > 0 ? static_cast<T>(1 / count_) : T(0);
      }
    }
    for (int64_t s = 0; s < mean_sources(call_); ++s) {
      Track& track = tracks_[s];
      const int64_t key = call_.past + t;
      if (call_.source == MemorySource::kProjected) {
        tokens.load(s, key, rows, track.tile);
      } else {
        tokens.load(s, key, rows, input_);
        multiply<false>(Matrix<T>{input_, input_width(call_)}, project_, R_, track.tile, R_, rows,
                        R_, call_.D, ahead);
      }
      if (call_.mean == MeanKind::kDecaying) {
        decaying_means<T>(track.tile, rows, R_, visible, decay_, track.mean, track.since, nullptr);
      } else {
        running_means<T>(track.tile, rows, R_, inverse_, track.start, track.since);
      }
    }
  }

  /// The means of source s, `row()` numbers from one token to the next.
  const T* values() const { return of(tracks_[0]); }
  const T* keys() const { return of(tracks_[mean_sources(call_) - 1]); }
  int64_t row() const { return call_.mean == MeanKind::kWhole ? 0 : R_; }

  /// After the last tile of the last chunk: the stream's new means.
  void write(const LavoStream& stream) const {
    if (!stream.weight) return;
    const bool decaying = call_.mean == MeanKind::kDecaying;
    for (int64_t s = 0; s < mean_sources(call_); ++s) {
      const Track& track = tracks_[s];
      double* mean = mean_of(stream, s);
      const double before = chunk_ == 0 ? starts_.count(b_, 0) : 0;
      for (int64_t r = 0; r < call_.R; ++r) {
        const double start = chunk_ == 0 ? mean[r] * before : static_cast<double>(track.start[r]);
        mean[r] = decaying
                      ? static_cast<double>(track.mean[r])
                      : (start + static_cast<double>(track.since[r])) / (count_ > 0 ? count_ : 1);
      }
    }
  }

 private:
  struct Track {
    T* tile;         ///< (kTile, R) y, then means
    T* mean;         ///< decaying
    T* since;        ///< running: sum of the chunk's tokens so far; decaying: weight
    const T* start;  ///< running: sum before the chunk; whole: the mean
  };

  static int64_t input_width(const LavoCall& call) { return padded(call.D); }
  const T* of(const Track& track) const {
    return call_.mean == MeanKind::kWhole ? track.start : track.tile;
  }
  double* mean_of(const LavoStream& stream, int64_t source) const {
    double* mean = source == 0 ? stream.value_mean : stream.key_mean;
    return mean ? mean + (b_ * mean_heads(call_) + h_ % mean_heads(call_)) * call_.R : nullptr;
  }
  void begin_decaying(Track& track, int64_t source) {
    const double* mean = mean_of(stream_, source);
    for (int64_t r = 0; r < R_; ++r) {
      const bool held = mean && r < call_.R;
      track.mean[r] = held ? static_cast<T>(mean[r]) : T(0);
      track.since[r] = held ? static_cast<T>(stream_.weight[b_ * call_.R + r]) : T(0);
    }
  }

  const LavoCall& call_;
  const Starts<S>& starts_;
  const LavoStream& stream_;
  int64_t R_, b_ = 0, h_ = 0, chunk_ = 0;
  const T* project_ = nullptr;
  const bool* visible_ = nullptr;
  double count_ = 0;
  T *input_, *decay_, *inverse_;
  Track tracks_[2]{};
};

/// The weight behind a stream's means, after all heads have read it.
template <class S>
void advance_weight(const LavoCall& call, const Starts<S>& starts, const LavoStream& stream) {
  if (!stream.weight) return;
  for (int64_t b = 0; b < call.B; ++b) {
    if (call.mean != MeanKind::kDecaying) {
      stream.weight[b] = starts.count(b, pieces(call.T, kChunk));
      continue;
    }
    const bool* visible = visible_from(call, b, call.past);
    for (int64_t r = 0; r < call.R; ++r) {
      const auto decay = static_cast<double>(static_cast<const Compute<S>*>(call.decay)[r]);
      double& weight = stream.weight[b * call.R + r];
      for (int64_t t = 0; t < call.T; ++t) weight = decay * weight + (visible ? visible[t] : 1);
    }
  }
}

/// z = scale h^K a + padding, the logits of a query; returns the largest.
template <class T>
LAVO_INLINE T memory_logits(const T* a, const T* key_mean, const T* padding, T scale, int64_t R,
                            T* z) {
  Vector<T> most = broadcast(-T(__builtin_inf()));
  for (int64_t r = 0; r < R; r += kLanes<T>) {
    const Vector<T> logit = load(a + r) * (load(key_mean + r) * scale) + load(padding + r);
    store(z + r, logit);
    most = larger(most, logit);
  }
  return largest_lane<T>(most);
}

/// a (rows, R) = B_K q -> factor softmax(scale h^K a) h^V, row by row; `padding` (R) is 0, and -inf
/// beyond the rows of the memory.
template <class T>
void memory_weights(T* a, int64_t rows, int64_t R, const T* key_mean, const T* value_mean,
                    int64_t mean_row, const T* padding, T scale, T factor) {
  for (int64_t i = 0; i < rows; ++i, a += R, key_mean += mean_row, value_mean += mean_row) {
    const T largest = memory_logits(a, key_mean, padding, scale, R, a);
    const T share = factor / exp_row(a, R, largest);
    for (int64_t r = 0; r < R; r += kLanes<T>) {
      store(a + r, load(a + r) * (load(value_mean + r) * share));
    }
  }
}

/// The backward pass of memory_weights. In: a = B_K q, dg = B_V do (the upstream gradient without
/// `factor`). Out: a = gradient of B_K q; dg = gradient of h^V, and of h^K too where `key_gradient`
/// is null; weights, if not null, = factor p (.) h^V. Returns the gradient of `factor`.
template <class T>
T memory_gradients(T* a, T* dg, T* key_gradient, T* weights, T* p, int64_t rows, int64_t R,
                   const T* key_mean, const T* value_mean, int64_t mean_row, const T* padding,
                   T scale, T factor) {
  T of_factor = 0;
  for (int64_t i = 0; i < rows;
       ++i, a += R, dg += R, key_mean += mean_row, value_mean += mean_row) {
    const T largest = memory_logits(a, key_mean, padding, scale, R, p);
    Vector<T> total{}, dots{};
    for (int64_t r = 0; r < R; r += kLanes<T>) {
      const Vector<T> e = exp<T>(load(p + r) - largest);
      store(p + r, e);
      total += e;
      dots += e * (load(dg + r) * load(value_mean + r));
    }
    const T inverse = 1 / sum_of_lanes<T>(total), dot = sum_of_lanes<T>(dots) * inverse;
    of_factor += dot;
    for (int64_t r = 0; r < R; r += kLanes<T>) {
      const Vector<T> weight = load(p + r) * (inverse * factor);
      const Vector<T> hk = load(key_mean + r), hv = load(value_mean + r);
      const Vector<T> of_value = weight * load(dg + r);
      // Of the logit, times the scale that it has inside.
      const Vector<T> dz = (of_value * hv - weight * dot) * scale;
      const Vector<T> of_key = dz * load(a + r);
      store(a + r, dz * hk);
      if (key_gradient) store(key_gradient + i * R + r, of_key);
      store(dg + r, key_gradient ? of_value : of_value + of_key);
      if (weights) store(weights + i * R + r, weight * hv);
    }
  }
  return of_factor;
}

}  // namespace lavo::cpu::LAVO_ISA
