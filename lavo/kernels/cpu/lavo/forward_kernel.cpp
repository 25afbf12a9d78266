// SPDX-License-Identifier: MIT
#include "lavo/kernels/cpu/engine/finite.h"
#include "lavo/kernels/cpu/lavo/memory.h"
#include "lavo/kernels/cpu/lavo/window.h"

namespace lavo::cpu::LAVO_ISA {
namespace {

/// One thread's work: chunks of (batch, head), tile by tile.
template <class S>
class LavoForwardWorker {
 public:
  using T = Compute<S>;

  LavoForwardWorker(const LavoForward& forward, const Bases<T>& bases, const Starts<S>& starts)
      : forward_(forward),
        call_(forward.call),
        bases_(bases),
        D_(padded(call_.D)),
        E_(padded(call_.E)),
        R_(padded(call_.R)),
        scratch_(MeanTiles<S>::scratch_bytes(call_) + WindowTile<S>::scratch_bytes(call_) +
                 Scratch::bytes<T>(kTile * D_) + 2 * Scratch::bytes<T>(kTile * E_) +
                 Scratch::bytes<T>(kTile * R_) + Scratch::bytes<T>(R_)),
        means_(call_, starts, forward.stream, scratch_),
        window_(call_, scratch_) {
    query_ = scratch_.take<T>(kTile * D_);
    value_ = scratch_.take<T>(kTile * E_);
    output_ = scratch_.take<T>(kTile * E_);
    rows_ = scratch_.take<T>(kTile * R_);
    padding_ = scratch_.take<T>(R_);
    for (int64_t r = 0; r < R_; ++r) padding_[r] = r < call_.R ? T(0) : -T(__builtin_inf());
  }

  void run(int64_t b, int64_t h, int64_t chunk) {
    const HeadTokens<S> query = head_of<S>(call_.query, b, h);
    const HeadTokens<S> output = head_of<S>(forward_.output, b, h);
    const bool global = call_.source != MemorySource::kNone, local = call_.window > 0;
    HeadBases<T> bases{};
    if (global) {
      bases = bases_.of(h);
      means_.begin(b, h, chunk, bases.project);
    }
    if (local) window_.set_head(b, h);
    const Span span = query_span(call_, chunk);
    look_ahead(query, output, b, h);
    for (int64_t t = span.begin; t < span.end; t += kTile) {
      const int64_t rows = smaller(kTile, span.end - t);
      ahead_.set(t + kTile, smaller(t + 2 * kTile, span.end));
      load_tile<S>(query.at(t), query.stride, rows, call_.D, nullptr, query_);
      if (global) add_memory(t, rows, h, bases);
      if (local) add_window(b, h, t, rows, global);
      store_tile<S>(output_, rows, call_.E, output.at(t), output.stride);
    }
    if (global && span.end == call_.T && h < mean_heads(call_)) means_.write(forward_.stream);
  }

 private:
  /// What the tiles of a head touch; keys and values where they are those of the queries' tokens.
  void look_ahead(const HeadTokens<S>& query, const HeadTokens<S>& output, int64_t b, int64_t h) {
    ahead_.clear();
    ahead_.add(query.data, query.stride, call_.D);
    ahead_.add(output.data, output.stride, call_.E);
    if (call_.S != call_.past + call_.T) return;
    const HeadTokens<S> key = head_of<S>(call_.key, b, h), value = head_of<S>(call_.value, b, h);
    ahead_.add(key.at(call_.past), key.stride, call_.D);
    ahead_.add(value.at(call_.past), value.stride, call_.E);
  }

  void add_memory(int64_t t, int64_t rows, int64_t h, const HeadBases<T>& bases) {
    means_.advance(t, rows, &ahead_);
    multiply<false>(Matrix<T>{query_, D_}, bases.project, R_, rows_, R_, rows, R_, call_.D,
                    &ahead_);
    const T scale = T(1 / __builtin_sqrt(static_cast<double>(call_.D)));
    const T factor = static_cast<const T*>(call_.weights)[h];
    memory_weights(rows_, rows, R_, means_.keys(), means_.values(), means_.row(), padding_, scale,
                   factor);
    multiply<false>(Matrix<T>{rows_, R_}, bases.value, D_, output_, E_, rows, E_, call_.R, &ahead_);
  }

  void add_window(int64_t b, int64_t h, int64_t t, int64_t rows, bool add) {
    window_.attend(query_, call_.first + t, rows, window_.factor(), &ahead_);
    const HeadTokens<S> value = head_of<S>(call_.value, b, h);
    const KeyRange keys = window_.keys();
    for (int64_t j = 0; j < keys.size(); j += kTile) {
      const int64_t count = smaller(kTile, keys.size() - j), key = window_.index(keys.begin + j);
      load_tile<S>(value.at(key), value.stride, count, call_.E, visible_from(call_, b, key),
                   value_);
      const Matrix<T> weights{window_.weights() + j, window_.width()};
      const bool first = !add && j == 0;
      if (are_finite(value_, count * E_)) {
        const auto product = first ? multiply<false, T> : multiply<true, T>;
        product(weights, value_, E_, output_, E_, rows, E_, count, &ahead_);
      } else {
        for (int64_t c = 0; first && c < rows * E_; ++c) output_[c] = 0;
        multiply_seen(weights, value_, E_, output_, E_, rows, E_, count);
      }
    }
  }

  const LavoForward& forward_;
  const LavoCall& call_;
  const Bases<T>& bases_;
  int64_t D_, E_, R_;
  Scratch scratch_;
  MeanTiles<S> means_;
  WindowTile<S> window_;
  Ahead ahead_;
  T *query_, *value_, *output_, *rows_, *padding_;
};

template <class S>
void run_lavo_forward(const LavoForward& forward) {
  const LavoCall& call = forward.call;
  const Bases<Compute<S>> bases(call);
  const Starts<S> starts(call, forward.stream, bases);
  const int64_t chunks = lavo_chunks(call);
  const auto body = [&](int64_t begin, int64_t end) {
    LavoForwardWorker<S> worker(forward, bases, starts);
    for (int64_t job = begin; job < end; ++job) {
      const int64_t bh = job / chunks;
      worker.run(bh / call.H, bh % call.H, job % chunks);
    }
  };
  call.parallel(call.B * call.H * chunks, RangeFunction(body));
  advance_weight(call, starts, forward.stream);
}

}  // namespace

void lavo_forward(const LavoForward& forward) {
  by_storage(forward.call.storage, [&]<class S>() { run_lavo_forward<S>(forward); });
}

}  // namespace lavo::cpu::LAVO_ISA
