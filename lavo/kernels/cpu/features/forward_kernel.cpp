// SPDX-License-Identifier: MIT
#include "lavo/kernels/cpu/engine/finite.h"
#include "lavo/kernels/cpu/features/segments.h"

namespace lavo::cpu::LAVO_ISA {
namespace {

/// One thread's work: segments of (batch, head), chunk by chunk. Tokens are the columns of what is
/// computed.
template <class S>
class FeaturesWorker {
 public:
  using T = Compute<S>;

  FeaturesWorker(const FeaturesForward& forward, const SegmentStarts<S>& starts)
      : forward_(forward),
        call_(forward.call),
        starts_(starts),
        M_(padded(call_.M)),
        E_(padded(call_.E)),
        scratch_(FeatureLevels<T>::scratch_bytes() + FeatureSums<T>::scratch_bytes(call_) +
                 KeyChunk<S>::scratch_bytes(call_) + 2 * Scratch::bytes<T>(kFeatureChunk * M_) +
                 Scratch::bytes<T>(kFeatureChunk * kFeatureChunk) +
                 2 * Scratch::bytes<T>((E_ + 1) * kFeatureChunk)),
        levels_(call_, WeightRows::kKeys, scratch_),
        sums_(call_, scratch_),
        keys_(call_, scratch_) {
    query_ = scratch_.take<T>(kFeatureChunk * M_);
    columns_ = scratch_.take<T>(kFeatureChunk * M_);
    scores_ = scratch_.take<T>(kFeatureChunk * kFeatureChunk);
    output_ = scratch_.take<T>((E_ + 1) * kFeatureChunk);
    rows_ = scratch_.take<T>((E_ + 1) * kFeatureChunk);
    for (int64_t i = 0; i < (E_ + 1) * kFeatureChunk; ++i) output_[i] = 0;
  }

  void run(int64_t head, int64_t segment) {
    const int64_t b = head / call_.H, h = head % call_.H;
    query_tokens_ = head_of<T>(call_.query, b, h);
    output_tokens_ = head_of<S>(forward_.output, b, h);
    levels_.set_head(head);
    keys_.set_head(b, h);
    starts_.load(head, segment, sums_);
    look_ahead();
    const Segment span = segment_of(call_, segment);
    for (int64_t t = span.begin; t < span.end; t += kFeatureChunk) {
      ahead_.set(t + kFeatureChunk, smaller(t + 2 * kFeatureChunk, span.end));
      advance(t, smaller(kFeatureChunk, span.end - t));
    }
    if (span.end == call_.T) {
      sums_.store_to(forward_.sum_after + head * (call_.E + 1) * call_.M);
    }
  }

 private:
  void look_ahead() {
    ahead_.clear();
    ahead_.add(query_tokens_.data, query_tokens_.stride, call_.M);
    ahead_.add(output_tokens_.data, output_tokens_.stride, call_.E);
    keys_.add_to(ahead_);
  }

  void advance(int64_t t, int64_t rows) {
    const int64_t width = padded(rows);
    levels_.set(t, rows);
    keys_.load(t, rows);
    load_chunk<T>(query_tokens_, t, rows, call_.M, nullptr, query_);
    transpose_tile(query_, M_, width, M_, columns_, kFeatureChunk);
    add_up(rows, width);
    divide(width);
    transpose_tile(output_, kFeatureChunk, E_, width, rows_, E_);
    store_tile<S>(rows_, rows, call_.E, output_tokens_.at(t), output_tokens_.stride);
    keys_.scale_to_end(levels_, rows);
    keys_.add_to(sums_, levels_, rows);
  }

  /// output_ = weighted sums of [v, 1], (E + 1, width).
  void add_up(int64_t rows, int64_t width) {
    multiply<false>(Matrix<T>{sums_.data(), M_}, columns_, kFeatureChunk, output_, kFeatureChunk,
                    call_.E + 1, width, call_.M, &ahead_);
    if (!levels_.flat()) {
      for (int64_t e = 0; e <= call_.E; ++e) {
        scale_numbers(output_ + e * kFeatureChunk, width, levels_.from_before());
      }
    }
    multiply<false>(Matrix<T>{keys_.features(), M_}, columns_, kFeatureChunk, scores_,
                    kFeatureChunk, rows, width, call_.M, &ahead_);
    levels_.weigh(scores_, rows, width);
    const Matrix<T> values = Matrix<T>{keys_.values(), E_}.transposed();
    if (are_finite(keys_.values(), rows * E_)) {
      multiply<true>(values, scores_, kFeatureChunk, output_, kFeatureChunk, call_.E, width, rows,
                     &ahead_);
    } else {
      multiply_by_seen(values, scores_, kFeatureChunk, output_, kFeatureChunk, call_.E, width,
                       rows);
    }
    multiply<true>(Matrix<T>{keys_.ones(), 0}, scores_, kFeatureChunk,
                   output_ + call_.E * kFeatureChunk, kFeatureChunk, 1, width, rows);
  }

  void divide(int64_t width) {
    const FeatureNormaliser& by = call_.normaliser;
    const T* count = output_ + call_.E * kFeatureChunk;
    for (int64_t c = 0; c < width; c += kLanes<T>) {
      Vector<T> total = load(count + c) + T(by.epsilon);
      if (by.feature_epsilon != 0) {
        Vector<T> features{};
        for (int64_t m = 0; m < call_.M; ++m) features += load(columns_ + m * kFeatureChunk + c);
        total += T(by.feature_epsilon) * features;
      }
      total = total < T(by.smallest) ? broadcast(T(by.smallest)) : total;
      const Vector<T> factor = T(1) / (total == T(0) ? broadcast(T(1)) : total);
      for (int64_t e = 0; e < call_.E; ++e) {
        T* sum = output_ + e * kFeatureChunk + c;
        store(sum, load(sum) * factor);
      }
    }
  }

  const FeaturesForward& forward_;
  const FeaturesCall& call_;
  const SegmentStarts<S>& starts_;
  int64_t M_, E_;
  Scratch scratch_;
  FeatureLevels<T> levels_;
  FeatureSums<T> sums_;
  KeyChunk<S> keys_;
  Ahead ahead_;
  HeadTokens<T> query_tokens_{};
  HeadTokens<S> output_tokens_{};
  T *query_, *columns_, *scores_, *output_, *rows_;
};

template <class S>
void run_features_forward(const FeaturesForward& forward) {
  const FeaturesCall& call = forward.call;
  const SegmentStarts<S> starts(call);
  const int64_t segments = segment_count(call);
  const auto body = [&](int64_t begin, int64_t end) {
    FeaturesWorker<S> worker(forward, starts);
    for (int64_t job = begin; job < end; ++job) worker.run(job / segments, job % segments);
  };
  call.parallel(call.B * call.H * segments, RangeFunction(body));
}

}  // namespace

void features_forward(const FeaturesForward& forward) {
  by_storage(forward.call.storage, [&]<class S>() { run_features_forward<S>(forward); });
}

}  // namespace lavo::cpu::LAVO_ISA
