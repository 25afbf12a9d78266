// SPDX-License-Identifier: MIT
// The means of the memory: what they start from in every chunk, and how a tile advances them.
#pragma once

#include "lavo/kernels/cpu/lavo/view.h"

namespace lavo::cpu::LAVO_ISA {

/// Tokens whose mean is taken: `count` of them from key index `first` on.
inline int64_t mean_tokens(const LavoCall& call) {
  return call.mean == MeanKind::kWhole ? call.S : call.T;
}
inline int64_t mean_first(const LavoCall& call) {
  return call.mean == MeanKind::kWhole ? 0 : call.past;
}
inline int64_t mean_heads(const LavoCall& call) {
  return call.source == MemorySource::kProjected ? 1 : call.H;
}
inline int64_t mean_sources(const LavoCall& call) {
  return call.source == MemorySource::kNone ? 0 : call.source == MemorySource::kKeyValue ? 2 : 1;
}
inline Span query_span(const LavoCall& call, int64_t chunk) {
  return call.mean == MeanKind::kDecaying ? Span{0, call.T} : chunk_span(chunk, call.T);
}

/// Loads what the means of one (batch, head) are taken of. Source 0 is that of the values.
template <class S>
class SourceTokens {
 public:
  using T = Compute<S>;
  SourceTokens(const LavoCall& call, int64_t b, int64_t h)
      : width_(call.source == MemorySource::kProjected ? call.R : call.D),
        tokens_{head_of<S>(call.value, b, h), head_of<S>(call.key, b, h)},
        projected_(static_cast<const T*>(call.projected)),
        past_(call.past),
        visible_(visible_from(call, b, 0)) {
    if (projected_) projected_ += b * (call.S - past_) * call.R;
  }
  int64_t width() const { return width_; }
  /// (rows, padded width); hidden tokens are zeros.
  void load(int64_t source, int64_t key, int64_t rows, T* tile) const {
    const bool* visible = visible_ ? visible_ + key : nullptr;
    if (projected_) {
      load_tile<T>(projected_ + (key - past_) * width_, width_, rows, width_, visible, tile);
    } else {
      const HeadTokens<S>& tokens = tokens_[source];
      load_tile<S>(tokens.at(key), tokens.stride, rows, width_, visible, tile);
    }
  }

 private:
  int64_t width_;
  HeadTokens<S> tokens_[2];
  const T* projected_;
  int64_t past_;  ///< keys that have no projected row: the means hold them
  const bool* visible_;
};

/// sum (padded width) of `count` tokens: of tiles first, so that few numbers are added to a large
/// one.
template <class S>
void sum_tokens(const SourceTokens<S>& tokens, int64_t source, int64_t key, int64_t count,
                Compute<S>* tile, Compute<S>* sum) {
  using T = Compute<S>;
  const int64_t width = padded(tokens.width());
  for (int64_t c = 0; c < width; ++c) sum[c] = 0;
  for (int64_t t = 0; t < count; t += kTile) {
    const int64_t rows = smaller(kTile, count - t);
    tokens.load(source, key + t, rows, tile);
    for (int64_t c = 0; c < width; c += kLanes<T>) {
      Vector<T> of_tile = lavo::cpu::LAVO_ISA::load(tile + c);
      for (int64_t i = 1; i < rows; ++i) {
        of_tile += lavo::cpu::LAVO_ISA::load(tile + i * width + c);
      }
      store(sum + c, lavo::cpu::LAVO_ISA::load(sum + c) + of_tile);
    }
  }
}

/// What the means start from: for running means the sum before each chunk, for whole ones the mean.
template <class S>
class Starts {
 public:
  using T = Compute<S>;

  Starts(const LavoCall& call, const LavoStream& stream, const Bases<T>& bases)
      : call_(call),
        stream_(stream),
        heads_(mean_heads(call)),
        sources_(mean_sources(call)),
        chunks_(pieces(mean_tokens(call), kChunk)),
        rows_(call.mean == MeanKind::kWhole ? 1 : chunks_),
        input_width_(padded(call.source == MemorySource::kProjected ? call.R : call.D)),
        scratch_(Scratch::bytes<T>(jobs() * chunks_ * input_width_) +
                 Scratch::bytes<T>(jobs() * rows_ * padded(call.R)) +
                 Scratch::bytes<double>(call.B * (chunks_ + 1))) {
    sums_ = scratch_.take<T>(jobs() * chunks_ * input_width_);
    starts_ = scratch_.take<T>(jobs() * rows_ * padded(call.R));
    counts_ = scratch_.take<double>(call.B * (chunks_ + 1));
    if (sources_ == 0 || call.mean == MeanKind::kDecaying) return;
    count_tokens();
    sum_chunks();
    const auto prefixes = [&](int64_t begin, int64_t end) {
      for (int64_t job = begin; job < end; ++job) prefix(job, bases);
    };
    call.parallel(jobs(), RangeFunction(prefixes));
  }

  /// (padded R) for a chunk; any chunk where the mean is over the whole.
  const T* of(int64_t b, int64_t h, int64_t source, int64_t chunk) const {
    const int64_t head = heads_ == 1 ? 0 : h;
    const int64_t job = (b * heads_ + head) * sources_ + source;
    return starts_ + (job * rows_ + (rows_ == 1 ? 0 : chunk)) * padded(call_.R);
  }
  /// Whole means: (padded width) of the tokens themselves.
  const T* mean_of_tokens(int64_t b, int64_t h, int64_t source) const {
    const int64_t head = heads_ == 1 ? 0 : h;
    return sums((b * heads_ + head) * sources_ + source, 0);
  }
  /// Real tokens before the chunk; after the last one: in all.
  double count(int64_t b, int64_t chunk) const { return counts_[b * (chunks_ + 1) + chunk]; }

 private:
  int64_t jobs() const { return call_.B * heads_ * sources_; }
  T* sums(int64_t job, int64_t chunk) const {
    return sums_ + (job * chunks_ + chunk) * input_width_;
  }

  void count_tokens() {
    const int64_t tokens = mean_tokens(call_);
    for (int64_t b = 0; b < call_.B; ++b) {
      const bool* visible = visible_from(call_, b, mean_first(call_));
      double* counts = counts_ + b * (chunks_ + 1);
      counts[0] = stream_.weight ? stream_.weight[b] : 0;
      for (int64_t c = 0; c < chunks_; ++c) {
        const Span span = chunk_span(c, tokens);
        int64_t count = visible ? 0 : span.size();
        for (int64_t t = span.begin; visible && t < span.end; ++t) count += visible[t];
        counts[c + 1] = counts[c] + static_cast<double>(count);
      }
    }
  }

  void sum_chunks() {
    const bool last_too = call_.mean == MeanKind::kWhole;
    if (!last_too && chunks_ == 1) return;
    const auto body = [&](int64_t begin, int64_t end) {
      Scratch scratch(Scratch::bytes<T>(kTile * input_width_));
      T* tile = scratch.take<T>(kTile * input_width_);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t job = i / chunks_, chunk = i % chunks_;
        if (!last_too && chunk == chunks_ - 1) continue;
        const int64_t bh = job / sources_;
        const Span span = chunk_span(chunk, mean_tokens(call_));
        sum_tokens(SourceTokens<S>(call_, bh / heads_, bh % heads_), job % sources_,
                   mean_first(call_) + span.begin, span.size(), tile, sums(job, chunk));
      }
    };
    call_.parallel(jobs() * chunks_, RangeFunction(body));
  }

  /// Sums before each chunk, or the mean of all; then in the R numbers of the memory.
  void prefix(int64_t job, const Bases<T>& bases) {
    const int64_t bh = job / sources_, source = job % sources_, R = padded(call_.R);
    const bool whole = call_.mean == MeanKind::kWhole;
    const double total = count(bh / heads_, chunks_);
    for (int64_t c = 0; c < input_width_; ++c) {
      double sum = 0;
      for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
        T& cell = sums(job, chunk)[c];
        const double before = sum;
        if (whole || chunk + 1 < chunks_) sum += static_cast<double>(cell);
        cell = static_cast<T>(before);
      }
      if (whole) sums(job, 0)[c] = total > 0 ? static_cast<T>(sum / total) : T(0);
    }
    T* starts = starts_ + job * rows_ * R;
    if (call_.source == MemorySource::kProjected) {
      __builtin_memcpy(starts, sums(job, 0), static_cast<unsigned long>(rows_ * R) * sizeof(T));
    } else {
      multiply<false>(Matrix<T>{sums(job, 0), input_width_}, bases.of(bh % heads_).project, R,
                      starts, R, rows_, R, call_.D);
    }
    const double* mean = source == 0 ? stream_.value_mean : stream_.key_mean;
    if (!mean) return;
    mean += bh * call_.R;
    for (int64_t row = 0; row < rows_; ++row) {
      for (int64_t r = 0; r < call_.R; ++r) {
        starts[row * R + r] += static_cast<T>(mean[r] * count(bh / heads_, 0));
      }
    }
  }

  const LavoCall& call_;
  const LavoStream stream_;
  int64_t heads_, sources_, chunks_, rows_, input_width_;
  Scratch scratch_;
  T *sums_, *starts_;
  double* counts_;
};

/// y (rows, padded R) of a tile -> its running means. `start`: sum before the job, `since`: sum of
/// the job's tokens, advanced; `inverse` (rows): one over the real tokens up to each.
template <class T>
void running_means(T* y, int64_t rows, int64_t R, const T* inverse, const T* start, T* since) {
  for (int64_t r = 0; r < R; r += kLanes<T>) {
    const Vector<T> before = load(start + r) + load(since + r);
    Vector<T> inside{};
    for (int64_t i = 0; i < rows; ++i) {
      inside += load(y + i * R + r);
      store(y + i * R + r, (before + inside) * inverse[i]);
    }
    store(since + r, load(since + r) + inside);
  }
}

/// The same with a decay a: W_t = a W_{t-1} + 1, h_t = h_{t-1} + (y_t - h_{t-1}) / W_t at a real
/// token, W_t = a W_{t-1} at a hidden one. So nothing underflows in a long padding but a weight
/// that no longer counts. `weights` (rows, R), if not null, gets every W_t.
template <class T>
void decaying_means(T* y, int64_t rows, int64_t R, const bool* visible, const T* decay, T* mean,
                    T* weight, T* weights) {
  for (int64_t r = 0; r < R; r += kLanes<T>) {
    Vector<T> h = load(mean + r), W = load(weight + r);
    const Vector<T> a = load(decay + r);
    for (int64_t i = 0; i < rows; ++i) {
      W *= a;
      if (!visible || visible[i]) {
        W += T(1);
        h += (load(y + i * R + r) - h) / W;
      }
      store(y + i * R + r, h);
      if (weights) store(weights + i * R + r, W);
    }
    store(mean + r, h);
    store(weight + r, W);
  }
}

}  // namespace lavo::cpu::LAVO_ISA
