// SPDX-License-Identifier: MIT
#include "lavo/kernels/cpu/lavo/mean_gradients.h"
#include "lavo/kernels/cpu/lavo/memory.h"
#include "lavo/kernels/cpu/lavo/window_gradients.h"

namespace lavo::cpu::LAVO_ISA {
namespace {

/// One thread's work: chunks of (batch, head), each from its last tile to its first.
template <class S>
class LavoBackwardWorker {
 public:
  using T = Compute<S>;

  /// sums [B, H, chunks, sources, padded R]: of every chunk, for those before it.
  LavoBackwardWorker(const LavoBackward& backward, const Bases<T>& bases, const Starts<S>& starts,
                     T* sums)
      : backward_(backward),
        call_(backward.call),
        bases_(bases),
        starts_(starts),
        sums_(sums),
        D_(padded(call_.D)),
        E_(padded(call_.E)),
        R_(padded(call_.R)),
        scratch_(MeansAgain<S>::scratch_bytes(call_) + WindowGradients<S>::scratch_bytes(call_) +
                 KeyGradients<S>::scratch_bytes(call_) + 2 * Scratch::bytes<T>(kTile * D_) +
                 Scratch::bytes<T>(kTile * E_) + 4 * Scratch::bytes<T>(kTile * R_) +
                 2 * Scratch::bytes<T>(R_) + 2 * Scratch::bytes<T>(bases_size())),
        means_(call_, starts, scratch_),
        window_(call_, scratch_),
        keys_(call_, scratch_) {
    query_ = scratch_.take<T>(kTile * D_);
    of_query_ = scratch_.take<T>(kTile * D_);
    of_output_ = scratch_.take<T>(kTile * E_);
    of_rows_ = scratch_.take<T>(kTile * R_);
    of_value_mean_ = scratch_.take<T>(kTile * R_);
    of_key_mean_ = scratch_.take<T>(kTile * R_);
    weights_ = scratch_.take<T>(kTile * R_);
    softmax_ = scratch_.take<T>(R_);
    padding_ = scratch_.take<T>(R_);
    of_key_bases_ = scratch_.take<T>(bases_size());
    of_value_bases_ = scratch_.take<T>(bases_size());
    for (int64_t r = 0; r < R_; ++r) padding_[r] = r < call_.R ? T(0) : -T(__builtin_inf());
  }

  /// All gradients of a chunk: of its queries, and of its keys from whatever query sees them.
  void run(int64_t b, int64_t h, int64_t chunk) {
    const Span span = enter(b, h, chunk);
    for (int64_t s = 0; s < mean_sources(call_); ++s) add_later(s);
    if (call_.window > 0) window_.begin(b, h);
    const bool has_keys = call_.S == call_.T;
    const Span seeing = has_keys ? queries_of(call_, span) : span;
    const int64_t to_the_right = call_.causal ? 0 : call_.window;
    keys_.begin(b, h, backward_.grad_key, backward_.grad_value, span,
                has_keys ? smaller(padded(seeing.end) + to_the_right, call_.S) : 0);
    for (int64_t c = 0; c < bases_size(); ++c) of_key_bases_[c] = of_value_bases_[c] = 0;
    of_memory_weight_ = 0;
    look_ahead();
    for (int64_t t = (seeing.end - 1) / kTile * kTile; t >= seeing.begin; t -= kTile) {
      ahead_.set(larger(t - kTile, seeing.begin), t);
      run_tile(t, smaller(kTile, call_.T - t), t >= span.begin && t < span.end);
      if (has_keys) keys_.done_from(t);
    }
    if (has_keys) keys_.finish();
    write_parameters();
  }

  /// Only what earlier chunks need of this one.
  void sum_up(int64_t b, int64_t h, int64_t chunk) {
    const Span span = enter(b, h, chunk);
    look_ahead();
    for (int64_t tile = pieces(span.size(), kTile) - 1; tile >= 0; --tile) {
      const int64_t t = span.begin + tile * kTile, rows = smaller(kTile, span.end - t);
      ahead_.set(larger(t - kTile, span.begin), t);
      load_queries(t, rows);
      of_means(t, rows);
    }
    write_sums();
  }

  /// (sources, padded R): sums of the chunk that was run last.
  void write_sums() const {
    for (int64_t s = 0; s < mean_sources(call_); ++s) {
      T* to = sums_of(chunk_, s);
      for (int64_t r = 0; r < R_; ++r) to[r] = means_.after(s)[r];
    }
  }

  /// After all chunks of a (batch, head): the share of every token in a mean over the whole.
  void finish_whole(int64_t b, int64_t h) {
    const Span keys{0, call_.S};
    b_ = b, h_ = h;
    if (call_.S != call_.T) {
      keys_.begin(b, h, backward_.grad_key, backward_.grad_value, keys, call_.S);
      keys_.finish();
    }
    rows_ = bases_.of(h);
    for (int64_t s = 0; s < mean_sources(call_); ++s) spread_mean(s);
  }

 private:
  bool has_memory() const { return call_.source != MemorySource::kNone; }
  bool is_projected() const { return call_.source == MemorySource::kProjected; }
  bool wants_bases() const { return backward_.grad_key_bases != nullptr; }
  int64_t bases_size() const { return wants_bases() ? R_ * D_ : 0; }
  int64_t part() const { return (b_ * call_.H + h_) * lavo_chunks(call_) + chunk_; }
  T* sums_of(int64_t chunk, int64_t s) const {
    const int64_t row = (b_ * call_.H + h_) * lavo_chunks(call_) + chunk;
    return sums_ + (row * mean_sources(call_) + s) * R_;
  }

  Span enter(int64_t b, int64_t h, int64_t chunk) {
    b_ = b, h_ = h, chunk_ = chunk;
    query_from_ = head_of<S>(call_.query, b, h);
    of_output_from_ = head_of<S>(backward_.grad_output, b, h);
    if (has_memory()) {
      rows_ = bases_.of(h);
      means_.enter(b, h, chunk, rows_.project);
    }
    return query_span(call_, chunk);
  }
  void add_later(int64_t s) {
    if (call_.mean == MeanKind::kWhole) return;
    for (int64_t chunk = lavo_chunks(call_) - 1; chunk > chunk_; --chunk) {
      for (int64_t r = 0; r < R_; ++r) means_.later(s)[r] += sums_of(chunk, s)[r];
    }
  }

  /// What the tiles of a head touch; keys and values where they are those of the queries' tokens.
  void look_ahead() {
    const auto add = [&](const Tokens& tokens, int64_t width) {
      const HeadTokens<S> head = head_of<S>(tokens, b_, h_);
      ahead_.add(head.data, head.stride, width);
    };
    ahead_.clear();
    add(call_.query, call_.D);
    add(backward_.grad_output, call_.E);
    add(backward_.grad_query, call_.D);
    if (call_.S != call_.T) return;
    add(call_.key, call_.D);
    add(call_.value, call_.E);
    add(backward_.grad_key, call_.D);
    add(backward_.grad_value, call_.E);
  }

  void load_queries(int64_t t, int64_t rows) {
    load_tile<S>(query_from_.at(t), query_from_.stride, rows, call_.D, nullptr, query_);
    load_tile<S>(of_output_from_.at(t), of_output_from_.stride, rows, call_.E, nullptr, of_output_);
  }

  void run_tile(int64_t t, int64_t rows, bool own) {
    load_queries(t, rows);
    if (own && has_memory()) {
      memory_tile(t, rows);
    } else {
      for (int64_t c = 0; c < rows * D_; ++c) of_query_[c] = 0;
    }
    if (call_.window > 0) {
      window_.add(query_, of_output_, t, rows, own ? of_query_ : nullptr, keys_, &ahead_);
    }
    if (!own) return;
    const HeadTokens<S> to = head_of<S>(backward_.grad_query, b_, h_);
    store_tile<S>(of_query_, rows, call_.D, to.at(t), to.stride);
  }

  /// Gradients of the tile's means, then of what is averaged.
  void of_means(int64_t t, int64_t rows) {
    means_.tile(t, rows, &ahead_);
    multiply<false>(Matrix<T>{query_, D_}, rows_.project, R_, of_rows_, R_, rows, R_, call_.D,
                    &ahead_);
    multiply<false>(Matrix<T>{of_output_, E_}, rows_.value_project, R_, of_value_mean_, R_, rows,
                    R_, call_.D, &ahead_);
    const bool two = mean_sources(call_) == 2;
    of_memory_weight_ += memory_gradients<T>(of_rows_, of_value_mean_, two ? of_key_mean_ : nullptr,
                                             wants_bases() ? weights_ : nullptr, softmax_, rows, R_,
                                             means_.keys(), means_.values(), means_.row(), padding_,
                                             T(1 / __builtin_sqrt(static_cast<double>(call_.D))),
                                             static_cast<const T*>(call_.weights)[h_]);
    means_.reverse(0, of_value_mean_, t, rows);
    if (two) means_.reverse(1, of_key_mean_, t, rows);
  }

  void memory_tile(int64_t t, int64_t rows) {
    of_means(t, rows);
    multiply<false>(Matrix<T>{of_rows_, R_}, rows_.key, D_, of_query_, D_, rows, D_, call_.R,
                    &ahead_);
    if (wants_bases()) {
      add_outer(weights_, of_output_, rows, of_value_bases_);
      add_outer(of_rows_, query_, rows, of_key_bases_);
    }
    if (call_.mean == MeanKind::kWhole) return;
    if (is_projected()) {
      add_projected(of_value_mean_, t, rows, R_);
      return;
    }
    add_source(0, of_value_mean_, keys_.value(t), rows);
    if (mean_sources(call_) == 2) add_source(1, of_key_mean_, keys_.key(t), rows);
  }

  void add_source(int64_t s, const T* of_projected, T* of_tokens, int64_t rows) {
    multiply<true>(Matrix<T>{of_projected, R_}, rows_.key, D_, of_tokens, D_, rows, D_, call_.R);
    if (wants_bases()) add_outer(of_projected, means_.input(s), rows, of_key_bases_);
  }

  /// sum (R, D) += a^T b of rows of R and of D numbers
  void add_outer(const T* a, const T* b, int64_t rows, T* sum) {
    multiply<true>(Matrix<T>{a, R_}.transposed(), b, D_, sum, D_, call_.R, D_, rows);
  }

  /// One row of gradients for each token from t on, `from_row` apart; heads add up.
  void add_projected(const T* from, int64_t t, int64_t rows, int64_t from_row) {
    const bool* visible = visible_from(call_, b_, t);
    for (int64_t i = 0; i < rows; ++i) {
      T* to = static_cast<T*>(backward_.grad_projected) + (b_ * call_.S + t + i) * call_.R;
      for (int64_t r = 0; r < call_.R; ++r) {
        const T more = !visible || visible[i] ? from[i * from_row + r] : T(0);
        to[r] = h_ == 0 ? more : to[r] + more;
      }
    }
  }

  void spread_mean(int64_t s) {
    const double count = starts_.count(b_, pieces(call_.S, kChunk));
    T* of_mean = softmax_;
    for (int64_t r = 0; r < R_; ++r) of_mean[r] = 0;
    for (int64_t chunk = lavo_chunks(call_) - 1; chunk >= 0; --chunk) {
      for (int64_t r = 0; r < R_; ++r) of_mean[r] += sums_of(chunk, s)[r];
    }
    if (wants_bases() && !is_projected()) {  // the first chunk's share takes the whole
      T* to = static_cast<T*>(backward_.grad_key_bases) +
              (b_ * call_.H + h_) * lavo_chunks(call_) * call_.R * call_.D;
      const T* mean = starts_.mean_of_tokens(b_, h_, s);
      for (int64_t r = 0; r < call_.R; ++r) {
        for (int64_t c = 0; c < call_.D; ++c) to[r * call_.D + c] += of_mean[r] * mean[c];
      }
    }
    for (int64_t r = 0; r < R_; ++r)
      of_mean[r] = count > 0 ? of_mean[r] / static_cast<T>(count) : 0;
    if (is_projected()) {
      add_projected(of_mean, 0, call_.S, 0);
    } else {
      add_to_tokens(of_mean,
                    head_of<S>(s == 0 ? backward_.grad_value : backward_.grad_key, b_, h_));
    }
  }

  /// B^T of_mean to every real token's gradient.
  void add_to_tokens(const T* of_mean, const HeadTokens<S>& to) {
    T *row = of_query_, *token = query_;
    multiply<false>(Matrix<T>{of_mean, R_}, rows_.key, D_, row, D_, 1, D_, call_.R);
    for (int64_t t = 0; t < call_.S; ++t) {
      const bool* visible = visible_from(call_, b_, t);
      if (visible && !*visible) continue;
      load_tile<S>(to.at(t), to.stride, 1, call_.D, nullptr, token);
      for (int64_t c = 0; c < D_; c += kLanes<T>) store(token + c, load(token + c) + load(row + c));
      store_tile<S>(token, 1, call_.D, to.at(t), to.stride);
    }
  }

  void write_parameters() {
    T* of_weights = static_cast<T*>(backward_.grad_weights) + 2 * part();
    of_weights[0] = of_memory_weight_;
    of_weights[1] = call_.window > 0 ? window_.of_factor() : T(0);
    if (backward_.grad_bias) {
      window_.write_bias(static_cast<T*>(backward_.grad_bias) + part() * bias_length(call_));
    }
    if (!wants_bases()) return;
    write_bases(of_key_bases_, backward_.grad_key_bases);
    write_bases(of_value_bases_, backward_.grad_value_bases);
  }
  void write_bases(const T* from, void* to) {
    store_tile<T>(from, call_.R, call_.D, static_cast<T*>(to) + part() * call_.R * call_.D,
                  call_.D);
  }

  const LavoBackward& backward_;
  const LavoCall& call_;
  const Bases<T>& bases_;
  const Starts<S>& starts_;
  T* sums_;
  int64_t D_, E_, R_, b_ = 0, h_ = 0, chunk_ = 0;
  Scratch scratch_;
  MeansAgain<S> means_;
  WindowGradients<S> window_;
  KeyGradients<S> keys_;
  Ahead ahead_;
  HeadBases<T> rows_{};
  HeadTokens<S> query_from_{}, of_output_from_{};
  T of_memory_weight_ = 0;
  T *query_, *of_query_, *of_output_, *of_rows_, *of_value_mean_, *of_key_mean_, *weights_;
  T *softmax_, *padding_, *of_key_bases_, *of_value_bases_;
};

template <class S>
void run_lavo_backward(const LavoBackward& backward) {
  using T = Compute<S>;
  const LavoCall& call = backward.call;
  const Bases<T> bases(call);
  const Starts<S> starts(call, {}, bases);
  const int64_t chunks = lavo_chunks(call);
  const int64_t sums_size = call.B * call.H * chunks * mean_sources(call) * padded(call.R);
  Scratch scratch(Scratch::bytes<T>(sums_size));
  T* sums = scratch.take<T>(sums_size);
  // Heads that share what is projected add to the same gradient: one after the other.
  const int64_t heads = call.source == MemorySource::kProjected ? call.H : 1;
  const int64_t groups = call.B * call.H / heads;
  // A chunk needs the sums of those after it. With fewer groups than threads they are found first,
  // at the price of some products; the bits are the same.
  const bool apart = groups < call.threads && chunks > 1;
  const bool whole = call.source != MemorySource::kNone && call.mean == MeanKind::kWhole;
  const auto each = [&](int64_t jobs, const auto& work) {
    const auto body = [&](int64_t begin, int64_t end) {
      LavoBackwardWorker<S> worker(backward, bases, starts, sums);
      for (int64_t job = begin; job < end; ++job) work(worker, job);
    };
    call.parallel(jobs, RangeFunction(body));
  };
  const auto of_group = [&](int64_t group, const auto& work) {
    for (int64_t bh = group * heads; bh < (group + 1) * heads; ++bh) work(bh / call.H, bh % call.H);
  };

  if (apart && call.mean == MeanKind::kRunning && call.source != MemorySource::kNone) {
    each(call.B * call.H * chunks, [&](LavoBackwardWorker<S>& worker, int64_t job) {
      worker.sum_up(job / chunks / call.H, job / chunks % call.H, job % chunks);
    });
  }
  each(apart ? groups * chunks : groups, [&](LavoBackwardWorker<S>& worker, int64_t job) {
    for (int64_t chunk = chunks - 1; chunk >= 0; --chunk) {
      if (apart && chunk != job % chunks) continue;
      of_group(apart ? job / chunks : job, [&](int64_t b, int64_t h) {
        worker.run(b, h, chunk);
        if (!apart || whole) worker.write_sums();
      });
    }
  });
  if (!whole) return;
  each(groups, [&](LavoBackwardWorker<S>& worker, int64_t group) {
    of_group(group, [&](int64_t b, int64_t h) { worker.finish_whole(b, h); });
  });
}

}  // namespace

void lavo_backward(const LavoBackward& backward) {
  by_storage(backward.call.storage, [&]<class S>() { run_lavo_backward<S>(backward); });
}

}  // namespace lavo::cpu::LAVO_ISA
