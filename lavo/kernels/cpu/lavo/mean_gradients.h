// SPDX-License-Identifier: MIT
// The means again, for the backward pass, which goes through the tokens from right to left.
#pragma once

#include "lavo/kernels/cpu/lavo/means.h"

namespace lavo::cpu::LAVO_ISA {

/// dh (rows, R) -> dy: y_u is in every mean from u on, dy_u = sum_{t>=u} dh_t / t. `later` (R): the
/// sum over later chunks; `after`: over later tiles of this one, advanced.
template <class T>
void running_gradients(T* dh, int64_t rows, int64_t R, const bool* visible, const T* inverse,
                       const T* later, T* after) {
  for (int64_t r = 0; r < R; r += kLanes<T>) {
    const Vector<T> of_chunk = load(after + r), behind = load(later + r) + of_chunk;
    Vector<T> inside{};
    for (int64_t i = rows - 1; i >= 0; --i) {
      inside += load(dh + i * R + r) * inverse[i];
      store(dh + i * R + r, !visible || visible[i] ? behind + inside : Vector<T>{});
    }
    store(after + r, of_chunk + inside);
  }
}

/// The same with a decay: of h_t = h_{t-1} + (y_t - h_{t-1}) / W_t, where a hidden token leaves h
/// as it is. `weights` (rows, R): every W_t.
template <class T>
void decaying_gradients(T* dh, int64_t rows, int64_t R, const bool* visible, const T* weights,
                        T* after) {
  for (int64_t r = 0; r < R; r += kLanes<T>) {
    Vector<T> later = load(after + r);
    for (int64_t i = rows - 1; i >= 0; --i) {
      const Vector<T> of_mean = load(dh + i * R + r) + later;
      const bool real = !visible || visible[i];
      const Vector<T> dy = real ? of_mean / load(weights + i * R + r) : Vector<T>{};
      store(dh + i * R + r, dy);
      later = of_mean - dy;
    }
    store(after + r, later);
  }
}

/// Means of the tiles of one (batch, head), any chunk and any tile of it.
template <class S>
class MeansAgain {
 public:
  using T = Compute<S>;

  static int64_t scratch_bytes(const LavoCall& call) {
    const int64_t R = padded(call.R), X = input_width(call), tiles = tiles_in_chunk(call);
    return Scratch::bytes<T>(R) + 3 * Scratch::bytes<T>(kTile * larger(R, 1)) +
           Scratch::bytes<T>(tiles * R) + Scratch::bytes<double>(tiles) +
           2 * (Scratch::bytes<T>(kTile * X) + Scratch::bytes<T>(kTile * R) +
                Scratch::bytes<T>(tiles * R) + Scratch::bytes<T>(tiles * X) +
                3 * Scratch::bytes<T>(R));
  }
  MeansAgain(const LavoCall& call, const Starts<S>& starts, Scratch& scratch)
      : call_(call), starts_(starts), R_(padded(call.R)), X_(input_width(call)) {
    const int64_t tiles = tiles_in_chunk(call);
    decay_ = scratch.take<T>(R_);
    inverse_ = scratch.take<T>(kTile);
    weights_ = scratch.take<T>(kTile * R_);
    carried_weight_ = scratch.take<T>(R_);
    tile_weights_ = scratch.take<T>(tiles * R_);
    tile_counts_ = scratch.take<double>(tiles);
    for (Track& track : tracks_) {
      track.input = scratch.take<T>(kTile * X_);
      track.means = scratch.take<T>(kTile * R_);
      track.tile_starts = scratch.take<T>(tiles * R_);
      track.tile_sums = scratch.take<T>(tiles * X_);
      track.since = scratch.take<T>(R_);
      track.after = scratch.take<T>(R_);
      track.later = scratch.take<T>(R_);
    }
    load_decay(call, decay_);
  }

  /// Finds what the means start from in every tile of a chunk.
  void enter(int64_t b, int64_t h, int64_t chunk, const T* project) {
    b_ = b, h_ = h, chunk_ = chunk, project_ = project;
    visible_ = visible_from(call_, b, 0);
    span_ = query_span(call_, chunk);
    for (Track& track : tracks_) {
      for (int64_t r = 0; r < R_; ++r) track.later[r] = track.after[r] = 0;
    }
    if (call_.mean == MeanKind::kRunning) enter_running();
    if (call_.mean == MeanKind::kDecaying) enter_decaying();
  }

  /// Means of the tokens [t, t + rows) of the chunk.
  void tile(int64_t t, int64_t rows, Ahead* ahead) {
    if (call_.mean == MeanKind::kWhole) return;
    const int64_t tile = (t - span_.begin) / kTile;
    const bool* visible = visible_ ? visible_ + t : nullptr;
    if (call_.mean == MeanKind::kRunning) {
      double count = tile_counts_[tile];
      for (int64_t i = 0; i < rows; ++i) {
        count += visible ? visible[i] : 1;
        inverse_[i] = count > 0 ? static_cast<T>(1 / count) : T(0);
      }
    }
    for (int64_t s = 0; s < mean_sources(call_); ++s) {
      Track& track = tracks_[s];
      project(track, s, t, rows, ahead);
      const T* start = track.tile_starts + tile * R_;
      if (call_.mean == MeanKind::kRunning) {
        for (int64_t r = 0; r < R_; ++r) track.since[r] = 0;
        running_means<T>(track.means, rows, R_, inverse_, start, track.since);
      } else {
        copy(start, track.since, R_);
        copy(tile_weights_ + tile * R_, carried_weight_, R_);
        decaying_means<T>(track.means, rows, R_, visible, decay_, track.since, carried_weight_,
                          weights_);
      }
    }
  }

  const T* values() const { return of(0); }
  const T* keys() const { return of(mean_sources(call_) - 1); }
  int64_t row() const { return call_.mean == MeanKind::kWhole ? 0 : R_; }
  /// (rows, padded D): the tokens of the tile that source s projects.
  const T* input(int64_t s) const { return tracks_[s].input; }

  /// Gradients of the tile's means -> of what is averaged, in place; of whole means: summed up.
  void reverse(int64_t s, T* dh, int64_t t, int64_t rows) {
    const bool* visible = visible_ ? visible_ + t : nullptr;
    T* after = tracks_[s].after;
    switch (call_.mean) {
      case MeanKind::kRunning:
        return running_gradients<T>(dh, rows, R_, visible, inverse_, tracks_[s].later, after);
      case MeanKind::kDecaying:
        return decaying_gradients<T>(dh, rows, R_, visible, weights_, after);
      case MeanKind::kWhole:
        for (int64_t i = 0; i < rows; ++i) {
          for (int64_t r = 0; r < R_; r += kLanes<T>) {
            store(after + r, load(after + r) + load(dh + i * R_ + r));
          }
        }
    }
  }
  /// (padded R): what `reverse` has summed up in this chunk, and what it has to add of later ones.
  const T* after(int64_t s) const { return tracks_[s].after; }
  T* later(int64_t s) const { return tracks_[s].later; }

 private:
  struct Track {
    T* input;        ///< (kTile, X) tokens
    T* means;        ///< (kTile, R)
    T* tile_starts;  ///< (tiles, R): running: sum before each tile; decaying: mean before it
    T* tile_sums;    ///< (tiles, X), running: the same of the tokens, from the chunk on
    T* since;
    T *later, *after;
  };

  static int64_t input_width(const LavoCall& call) {
    return padded(call.source == MemorySource::kProjected ? call.R : call.D);
  }
  static int64_t tiles_in_chunk(const LavoCall& call) {
    if (call.source == MemorySource::kNone || call.mean == MeanKind::kWhole) return 0;
    return pieces(call.mean == MeanKind::kDecaying ? call.T : smaller(call.T, kChunk), kTile);
  }
  static void copy(const T* from, T* to, int64_t count) {
    __builtin_memcpy(to, from, static_cast<unsigned long>(count) * sizeof(T));
  }
  const T* of(int64_t s) const {
    return call_.mean == MeanKind::kWhole ? starts_.of(b_, h_, s, 0) : tracks_[s].means;
  }
  /// Tokens and what is averaged of them.
  void project(Track& track, int64_t s, int64_t t, int64_t rows, Ahead* ahead) {
    SourceTokens<S>(call_, b_, h_).load(s, t, rows, track.input);
    if (call_.source == MemorySource::kProjected) {
      copy(track.input, track.means, rows * R_);
    } else {
      multiply<false>(Matrix<T>{track.input, X_}, project_, R_, track.means, R_, rows, R_, call_.D,
                      ahead);
    }
  }

  void enter_running() {
    const int64_t tiles = pieces(span_.size(), kTile);
    double count = starts_.count(b_, chunk_);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      tile_counts_[tile] = count;
      const int64_t t = span_.begin + tile * kTile, rows = smaller(kTile, span_.end - t);
      for (int64_t i = 0; i < rows; ++i) count += visible_ ? visible_[t + i] : 1;
    }
    const SourceTokens<S> tokens(call_, b_, h_);
    for (int64_t s = 0; s < mean_sources(call_); ++s) {
      Track& track = tracks_[s];
      for (int64_t c = 0; c < X_; ++c) track.tile_sums[c] = 0;
      for (int64_t tile = 0; tile + 1 < tiles; ++tile) {
        tokens.load(s, span_.begin + tile * kTile, kTile, track.input);
        const T* before = track.tile_sums + tile * X_;
        for (int64_t c = 0; c < X_; c += kLanes<T>) {
          Vector<T> inside{};
          for (int64_t i = 0; i < kTile; ++i) inside += load(track.input + i * X_ + c);
          store(track.tile_sums + (tile + 1) * X_ + c, load(before + c) + inside);
        }
      }
      if (call_.source == MemorySource::kProjected) {
        copy(track.tile_sums, track.tile_starts, tiles * R_);
      } else {
        multiply<false>(Matrix<T>{track.tile_sums, X_}, project_, R_, track.tile_starts, R_, tiles,
                        R_, call_.D);
      }
      const T* start = starts_.of(b_, h_, s, chunk_);
      for (int64_t tile = 0; tile < tiles; ++tile) {
        T* row = track.tile_starts + tile * R_;
        for (int64_t r = 0; r < R_; r += kLanes<T>) store(row + r, load(row + r) + load(start + r));
      }
    }
  }

  void enter_decaying() {
    for (int64_t s = 0; s < mean_sources(call_); ++s) {
      Track& track = tracks_[s];
      T *mean = track.since, *weight = carried_weight_;
      for (int64_t r = 0; r < R_; ++r) mean[r] = weight[r] = 0;
      for (int64_t t = span_.begin; t < span_.end; t += kTile) {
        const int64_t tile = (t - span_.begin) / kTile, rows = smaller(kTile, span_.end - t);
        copy(mean, track.tile_starts + tile * R_, R_);
        copy(weight, tile_weights_ + tile * R_, R_);
        project(track, s, t, rows, nullptr);
        decaying_means<T>(track.means, rows, R_, visible_ ? visible_ + t : nullptr, decay_, mean,
                          weight, nullptr);
      }
    }
  }

  const LavoCall& call_;
  const Starts<S>& starts_;
  int64_t R_, X_, b_ = 0, h_ = 0, chunk_ = 0;
  Span span_{};
  const T* project_ = nullptr;
  const bool* visible_ = nullptr;
  T *decay_, *inverse_, *weights_, *carried_weight_, *tile_weights_;
  double* tile_counts_;
  Track tracks_[2]{};
};

}  // namespace lavo::cpu::LAVO_ISA
