// SPDX-License-Identifier: MIT
// Parts of a head's tokens that threads share, and the sums that each starts from: reduce, then
// scan.
#pragma once

#include "lavo/kernels/cpu/features/sums.h"

namespace lavo::cpu::LAVO_ISA {

/// A head's tokens are cut into segments where there are too few heads to go round. Nothing but the
/// shape decides on them, so that the same bits come out for any number of threads.
inline constexpr int64_t kSegment = 256, kManyHeads = 4;

inline int64_t segment_length(const FeaturesCall& call) {
  return call.B * call.H >= kManyHeads ? call.T : kSegment;
}
inline int64_t segment_count(const FeaturesCall& call) {
  return pieces(call.T, segment_length(call));
}
struct Segment {
  int64_t begin, end;
};
inline Segment segment_of(const FeaturesCall& call, int64_t i) {
  const int64_t length = segment_length(call);
  return {i * length, smaller(call.T, (i + 1) * length)};
}

/// The sums in front of every segment.
template <class S>
class SegmentStarts {
 public:
  using T = Compute<S>;
  explicit SegmentStarts(const FeaturesCall& call)
      : call_(call),
        size_(FeatureSums<T>::size(call)),
        later_(segment_count(call) - 1),
        scratch_(later_ == 0 ? 0 : (later_ + 1) * call.B * call.H * Scratch::bytes<T>(size_)) {
    if (later_ == 0) return;
    sums_ = scratch_.take<T>(later_ * call.B * call.H * size_);
    lost_ = scratch_.take<T>(call.B * call.H * size_);
    const auto reduce = [&](int64_t begin, int64_t end) {
      Reducer reducer(call_);
      for (int64_t job = begin; job < end; ++job) {
        reducer.run(job / later_, job % later_).copy_to(sums_ + job * size_);
      }
    };
    call.parallel(call.B * call.H * later_, RangeFunction(reduce));
    for (int64_t head = 0; head < call.B * call.H; ++head) scan(head);
  }

  void load(int64_t head, int64_t segment, FeatureSums<T>& sums) const {
    if (segment == 0) return sums.load_from(call_.sum + head * (call_.E + 1) * call_.M);
    // The last one's sums go on to the next call.
    const T* lost = segment == later_ ? lost_ + head * size_ : nullptr;
    sums.copy_from(sums_ + (head * later_ + segment - 1) * size_, lost);
  }

 private:
  /// One thread's work: the sum over a segment alone, at the level of its end.
  class Reducer {
   public:
    explicit Reducer(const FeaturesCall& call)
        : call_(call),
          scratch_(FeatureLevels<T>::scratch_bytes() + FeatureSums<T>::scratch_bytes(call) +
                   KeyChunk<S>::scratch_bytes(call)),
          levels_(call, WeightRows::kKeys, scratch_),
          sums_(call, scratch_),
          keys_(call, scratch_) {}
    const FeatureSums<T>& run(int64_t head, int64_t segment) {
      levels_.set_head(head);
      keys_.set_head(head / call_.H, head % call_.H);
      sums_.clear();
      const Segment span = segment_of(call_, segment);
      for (int64_t t = span.begin; t < span.end; t += kFeatureChunk) {
        const int64_t rows = smaller(kFeatureChunk, span.end - t);
        levels_.set(t, rows);
        keys_.load(t, rows);
        keys_.scale_to_end(levels_, rows);
        keys_.add_to(sums_, levels_, rows);
      }
      return sums_;
    }

   private:
    const FeaturesCall& call_;
    Scratch scratch_;
    FeatureLevels<T> levels_;
    FeatureSums<T> sums_;
    KeyChunk<S> keys_;
  };

  void scan(int64_t head) {
    Scratch scratch(FeatureLevels<T>::scratch_bytes() + FeatureSums<T>::scratch_bytes(call_));
    FeatureLevels<T> levels(call_, WeightRows::kKeys, scratch);
    levels.set_head(head);
    FeatureSums<T> before(call_, scratch);
    load(head, 0, before);
    const T* from = before.data();
    T* lost = lost_ + head * size_;
    for (int64_t i = 0; i < size_; ++i) lost[i] = before.lost()[i];
    for (int64_t i = 0; i < later_; ++i) {
      const Segment span = segment_of(call_, i);
      T* to = sums_ + (head * later_ + i) * size_;
      add_compensated(to, size_, levels.between(span.begin, span.end), from, lost);
      from = to;
    }
  }

  const FeaturesCall& call_;
  int64_t size_, later_;
  Scratch scratch_;
  T *sums_ = nullptr, *lost_ = nullptr;  ///< what rounding took from the last of each head
};

}  // namespace lavo::cpu::LAVO_ISA
