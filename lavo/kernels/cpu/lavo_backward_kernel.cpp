// SPDX-License-Identifier: MIT
#include "lavo/kernels/cpu/lavo_mean_gradients.h"
#include "lavo/kernels/cpu/lavo_memory.h"
#include "lavo/kernels/cpu/lavo_window_gradients.h"

namespace lavo::cpu::LAVO_ISA {
namespace {

/// One thread's work: a (batch, head) from its last tile to its first.
template <class S>
class Worker {
 public:
  using T = Compute<S>;

  Worker(const LavoBackward& backward, const Bases<T>& bases, const Starts<S>& starts)
      : backward_(backward),
        call_(backward.call),
        bases_(bases),
        starts_(starts),
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

  void run(int64_t b, int64_t h) {
    b_ = b, h_ = h;
    query_from_ = head_of<S>(call_.query, b, h);
    of_output_from_ = head_of<S>(backward_.grad_output, b, h);
    const HeadTokens<S> to_query = head_of<S>(backward_.grad_query, b, h);
    if (has_memory()) begin_memory();
    if (call_.window > 0) window_.begin(b, h);
    keys_.begin(head_of<S>(backward_.grad_key, b, h), head_of<S>(backward_.grad_value, b, h));
    for (int64_t chunk = chunk_count(call_) - 1; chunk >= 0; --chunk) {
      const Span span = query_span(call_, chunk);
      if (has_memory()) means_.enter(chunk);
      for (int64_t tile = pieces(span.size(), kTile) - 1; tile >= 0; --tile) {
        const int64_t t = span.begin + tile * kTile, rows = smaller(kTile, span.end - t);
        run_tile(t, rows);
        store_tile<S>(of_query_, rows, call_.D, to_query.at(t), to_query.stride);
        if (call_.S == call_.T) keys_.done_from(t);
      }
    }
    if (call_.S != call_.T) keys_.done_from(0);
    if (has_memory()) finish_memory();
    T* of_weights = static_cast<T*>(backward_.grad_weights) + 2 * job();
    of_weights[0] = of_memory_weight_;
    of_weights[1] = call_.window > 0 ? window_.of_factor() : T(0);
    if (backward_.grad_bias) {
      window_.write_bias(static_cast<T*>(backward_.grad_bias) + job() * bias_length(call_));
    }
  }

 private:
  bool has_memory() const { return call_.source != MemorySource::kNone; }
  bool is_projected() const { return call_.source == MemorySource::kProjected; }
  bool wants_bases() const { return backward_.grad_key_bases != nullptr; }
  int64_t bases_size() const { return wants_bases() ? R_ * D_ : 0; }
  int64_t job() const { return b_ * call_.H + h_; }

  void begin_memory() {
    rows_ = bases_.of(h_);
    means_.begin(b_, h_, rows_.project);
    of_memory_weight_ = 0;
    for (int64_t c = 0; c < bases_size(); ++c) of_key_bases_[c] = of_value_bases_[c] = 0;
  }

  void run_tile(int64_t t, int64_t rows) {
    load_tile<S>(query_from_.at(t), query_from_.stride, rows, call_.D, nullptr, query_);
    load_tile<S>(of_output_from_.at(t), of_output_from_.stride, rows, call_.E, nullptr, of_output_);
    if (has_memory()) {
      memory_tile(t, rows);
    } else {
      for (int64_t c = 0; c < rows * D_; ++c) of_query_[c] = 0;
    }
    if (call_.window > 0) window_.add(query_, of_output_, t, rows, of_query_, keys_);
  }

  void memory_tile(int64_t t, int64_t rows) {
    means_.tile(t, rows);
    multiply<false>(Matrix<T>{query_, D_}, rows_.project, R_, of_rows_, R_, rows, R_, call_.D);
    multiply<false>(Matrix<T>{of_output_, E_}, rows_.value_project, R_, of_value_mean_, R_, rows,
                    R_, call_.D);
    const bool two = mean_sources(call_) == 2;
    of_memory_weight_ += memory_gradients<T>(of_rows_, of_value_mean_, two ? of_key_mean_ : nullptr,
                                             wants_bases() ? weights_ : nullptr, softmax_, rows, R_,
                                             means_.keys(), means_.values(), means_.row(), padding_,
                                             T(1 / __builtin_sqrt(static_cast<double>(call_.D))),
                                             static_cast<const T*>(call_.weights)[h_]);
    multiply<false>(Matrix<T>{of_rows_, R_}, rows_.key, D_, of_query_, D_, rows, D_, call_.R);
    if (wants_bases()) {
      add_outer(weights_, of_output_, rows, of_value_bases_);
      add_outer(of_rows_, query_, rows, of_key_bases_);
    }
    source_tile(0, of_value_mean_, t, rows);
    if (two) source_tile(1, of_key_mean_, t, rows);
  }

  /// Gradients of the tile's means -> of the tokens that they are taken of.
  void source_tile(int64_t s, T* of_mean, int64_t t, int64_t rows) {
    means_.reverse(s, of_mean, t, rows);
    if (call_.mean == MeanKind::kWhole) return;
    if (is_projected()) {
      add_projected(of_mean, t, rows, R_);
      return;
    }
    T* to = s == 0 ? keys_.value(t) : keys_.key(t);
    multiply<true>(Matrix<T>{of_mean, R_}, rows_.key, D_, to, D_, rows, D_, call_.R);
    if (wants_bases()) add_outer(of_mean, means_.input(s), rows, of_key_bases_);
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

  void finish_memory() {
    if (call_.mean == MeanKind::kWhole) {
      for (int64_t s = 0; s < mean_sources(call_); ++s) finish_whole(s);
    }
    if (!wants_bases()) return;
    write_bases(of_key_bases_, backward_.grad_key_bases);
    write_bases(of_value_bases_, backward_.grad_value_bases);
  }

  /// Every token has the same share in a mean over the whole.
  void finish_whole(int64_t s) {
    const double count = starts_.count(b_, pieces(call_.S, kChunk));
    T* of_mean = softmax_;
    for (int64_t r = 0; r < R_; ++r) {
      of_mean[r] = count > 0 ? means_.after(s)[r] / static_cast<T>(count) : T(0);
    }
    if (is_projected()) {
      add_projected(of_mean, 0, call_.S, 0);
      return;
    }
    T* row = of_query_;
    multiply<false>(Matrix<T>{of_mean, R_}, rows_.key, D_, row, D_, 1, D_, call_.R);
    const HeadTokens<S> to = head_of<S>(s == 0 ? backward_.grad_value : backward_.grad_key, b_, h_);
    for (int64_t t = 0; t < call_.S; ++t) {
      const bool* visible = visible_from(call_, b_, t);
      if (visible && !*visible) continue;
      load_tile<S>(to.at(t), to.stride, 1, call_.D, nullptr, query_);
      for (int64_t c = 0; c < D_; c += kLanes<T>)
        store(query_ + c, load(query_ + c) + load(row + c));
      store_tile<S>(query_, 1, call_.D, to.at(t), to.stride);
    }
    if (wants_bases()) {
      multiply<true>(Matrix<T>{means_.after(s), 1, R_}, starts_.mean_of_tokens(b_, h_, s), D_,
                     of_key_bases_, D_, call_.R, D_, 1);
    }
  }

  void write_bases(const T* from, void* to) {
    store_tile<T>(from, call_.R, call_.D, static_cast<T*>(to) + job() * call_.R * call_.D, call_.D);
  }

  const LavoBackward& backward_;
  const LavoCall& call_;
  const Bases<T>& bases_;
  const Starts<S>& starts_;
  int64_t D_, E_, R_, b_ = 0, h_ = 0;
  Scratch scratch_;
  MeansAgain<S> means_;
  WindowGradients<S> window_;
  KeyGradients<S> keys_;
  HeadBases<T> rows_{};
  HeadTokens<S> query_from_{}, of_output_from_{};
  T of_memory_weight_ = 0;
  T *query_, *of_query_, *of_output_, *of_rows_, *of_value_mean_, *of_key_mean_, *weights_;
  T *softmax_, *padding_, *of_key_bases_, *of_value_bases_;
};

template <class S>
void run(const LavoBackward& backward) {
  const LavoCall& call = backward.call;
  const Bases<Compute<S>> bases(call);
  const Starts<S> starts(call, {}, bases);
  // Heads that share what is projected add to the same gradient: one after the other.
  const int64_t heads = call.source == MemorySource::kProjected ? call.H : 1;
  const auto body = [&](int64_t begin, int64_t end) {
    Worker<S> worker(backward, bases, starts);
    for (int64_t job = begin * heads; job < end * heads; ++job) {
      worker.run(job / call.H, job % call.H);
    }
  };
  call.parallel(call.B * call.H / heads, RangeFunction(body));
}

}  // namespace

void lavo_backward(const LavoBackward& backward) {
  switch (backward.call.storage) {
    case Storage::kFloat64:
      return run<double>(backward);
    case Storage::kFloat32:
      return run<float>(backward);
    case Storage::kBFloat16:
      return run<BFloat16>(backward);
    case Storage::kFloat16:
      return run<Float16>(backward);
  }
}

}  // namespace lavo::cpu::LAVO_ISA
