// SPDX-License-Identifier: MIT
#include "lavo/kernels/cpu/features/gradients.h"

namespace lavo::cpu::LAVO_ISA {
namespace {

/// Gradients of queries: from the first token on, with the sums of the forward. Where there are
/// several segments it leaves what each adds to the gradient of the sums in front of it.
template <class S>
class QueryWorker {
 public:
  using T = Compute<S>;

  QueryWorker(const FeaturesBackward& backward, const SegmentStarts<S>& starts,
              const TokenScalars<T>& scalars, T* added)
      : backward_(backward),
        call_(backward.call),
        starts_(starts),
        scalars_(scalars),
        added_(added),
        M_(padded(call_.M)),
        scratch_(2 * FeatureSums<T>::scratch_bytes(call_) + GradientChunk<S>::scratch_bytes(call_) +
                 Scratch::bytes<T>(kFeatureChunk * M_)),
        sums_(call_, scratch_),
        sum_gradient_(call_, scratch_),
        chunk_(backward, scratch_) {
    result_ = scratch_.take<T>(kFeatureChunk * M_);
  }

  void run(int64_t head, int64_t segment) {
    chunk_.set_head(head);
    starts_.load(head, segment, sums_);
    sum_gradient_.clear();
    const HeadTokens<T> target = head_of<T>(backward_.grad_query, head / call_.H, head % call_.H);
    chunk_.ahead.add(target.data, target.stride, call_.M);
    const Segment span = segment_of(call_, segment);
    for (int64_t t = span.begin; t < span.end; t += kFeatureChunk) {
      const int64_t token = head * call_.T + t;
      chunk_.ahead.set(t + kFeatureChunk, smaller(t + 2 * kFeatureChunk, span.end));
      chunk_.load(t, smaller(kFeatureChunk, span.end - t));
      differentiate(scalars_.inverse + token, scalars_.count_gradient + token);
      store_tile<T>(result_, chunk_.rows, call_.M, target.at(t), target.stride);
      if (added_) add_sum_gradient(span.begin, t, scalars_.count_gradient + token);
      chunk_.keys.scale_to_end(chunk_.levels, chunk_.rows);
      chunk_.keys.add_to(sums_, chunk_.levels, chunk_.rows);
    }
    if (added_) {
      const int64_t segments = segment_count(call_);
      sum_gradient_.copy_to(added_ + (head * segments + segment) * FeatureSums<T>::size(call_));
    }
  }

 private:
  void differentiate(T* inverse, T* count_gradient) {
    const GradientChunk<S>& c = chunk_;
    bool passes[kFeatureChunk];  // the normaliser, to the sum of weights
    for (int64_t i = 0; i < c.rows; ++i) inverse[i] = inverse_normaliser(i, passes[i]);
    chunk_.take_products(inverse);
    multiply<false>(Matrix<T>{c.gradient, padded(call_.E)}, sums_.data(), M_, result_, M_, c.rows,
                    M_, call_.E, &chunk_.ahead);
    for (int64_t i = 0; i < c.rows; ++i) {
      // g_t . s_t, first through the sums, then token by token.
      const T from_sums = c.levels.from_before()[i] * dot(c.query + i * M_, result_ + i * M_, M_);
      const T product = from_sums + dot(c.scores + i * kFeatureChunk,
                                        c.score_gradients + i * kFeatureChunk, c.width);
      count_gradient[i] = passes[i] ? -product * inverse[i] : T(0);
      add_scaled(result_ + i * M_, M_, count_gradient[i], sums_.last_row());
    }
    if (!c.levels.flat()) scale_rows(result_, c.rows, M_, c.levels.from_before());
    if (call_.normaliser.feature_epsilon != 0) {
      for (int64_t i = 0; i < c.rows; ++i) {
        const T added = T(call_.normaliser.feature_epsilon) * count_gradient[i];
        for (int64_t m = i * M_; m < (i + 1) * M_; ++m) result_[m] += added;
      }
    }
    chunk_.finish_score_gradients(count_gradient);
    multiply<true>(Matrix<T>{c.score_gradients, kFeatureChunk}, c.keys.features(), M_, result_, M_,
                   c.rows, M_, c.rows);
  }

  T inverse_normaliser(int64_t i, bool& passes) const {
    const FeatureNormaliser& by = call_.normaliser;
    const T* query = chunk_.query + i * M_;
    T total = chunk_.levels.from_before()[i] * dot(query, sums_.last_row(), M_) +
              dot(chunk_.scores + i * kFeatureChunk, chunk_.keys.ones(), chunk_.width) +
              T(by.epsilon);
    if (by.feature_epsilon != 0) total += T(by.feature_epsilon) * sum_of(query, M_);
    passes = !(total < T(by.smallest)) && total != 0;
    if (total < T(by.smallest)) total = T(by.smallest);
    return T(1) / (total == 0 ? T(1) : total);
  }

  /// The chunk's part in the gradient of the sums in front of the segment that begins at `begin`.
  void add_sum_gradient(int64_t begin, int64_t t, const T* count_gradient) {
    const T factor = chunk_.levels.between(begin, t);
    T scale[kFeatureChunk], counts[kFeatureChunk];
    for (int64_t i = 0; i < chunk_.rows; ++i) {
      scale[i] = factor * chunk_.levels.from_before()[i];
      counts[i] = scale[i] * count_gradient[i];
    }
    scale_rows(chunk_.gradient, chunk_.rows, padded(call_.E), scale);
    sum_gradient_.add(T(1), chunk_.gradient, counts, chunk_.query, chunk_.rows);
  }

  const FeaturesBackward& backward_;
  const FeaturesCall& call_;
  const SegmentStarts<S>& starts_;
  TokenScalars<T> scalars_;
  T* added_;
  int64_t M_;
  Scratch scratch_;
  FeatureSums<T> sums_, sum_gradient_;
  GradientChunk<S> chunk_;
  T* result_;
};

/// Gradients of keys and values: from the last token back, with the gradient of the sums behind.
template <class S>
class KeyWorker {
 public:
  using T = Compute<S>;

  KeyWorker(const FeaturesBackward& backward, const TokenScalars<T>& scalars, const T* behind)
      : backward_(backward),
        call_(backward.call),
        scalars_(scalars),
        behind_(behind),
        M_(padded(call_.M)),
        E_(padded(call_.E)),
        scratch_(FeatureSums<T>::scratch_bytes(call_) + GradientChunk<S>::scratch_bytes(call_) +
                 Scratch::bytes<T>(kFeatureChunk * M_) + 2 * Scratch::bytes<T>(kFeatureChunk * E_)),
        sum_gradient_(call_, scratch_),
        chunk_(backward, scratch_) {
    of_keys_ = scratch_.take<T>(kFeatureChunk * M_);
    of_values_ = scratch_.take<T>(kFeatureChunk * E_);
    rows_ = scratch_.take<T>(kFeatureChunk * E_);
    for (int64_t i = 0; i < kFeatureChunk * E_; ++i) of_values_[i] = 0;
  }

  void run(int64_t head, int64_t segment) {
    chunk_.set_head(head);
    load_behind(head, segment);
    const HeadTokens<T> key = head_of<T>(backward_.grad_key, head / call_.H, head % call_.H);
    const HeadTokens<S> value = head_of<S>(backward_.grad_value, head / call_.H, head % call_.H);
    chunk_.ahead.add(key.data, key.stride, call_.M);
    chunk_.ahead.add(value.data, value.stride, call_.E);
    const Segment span = segment_of(call_, segment);
    for (int64_t i = pieces(span.end - span.begin, kFeatureChunk) - 1; i >= 0; --i) {
      const int64_t t = span.begin + i * kFeatureChunk, token = head * call_.T + t;
      chunk_.ahead.set(larger(t - kFeatureChunk, span.begin), t);
      chunk_.load(t, smaller(kFeatureChunk, span.end - t));
      chunk_.take_products(scalars_.inverse + token);
      chunk_.finish_score_gradients(scalars_.count_gradient + token);
      differentiate_values();
      transpose_tile(of_values_, kFeatureChunk, E_, chunk_.width, rows_, E_);
      store_tile<S>(rows_, chunk_.rows, call_.E, value.at(t), value.stride);
      differentiate_keys();
      store_tile<T>(of_keys_, chunk_.rows, call_.M, key.at(t), key.stride);
      advance(scalars_.count_gradient + token);
    }
    if (segment == 0) {
      sum_gradient_.store_to(backward_.grad_sum + head * (call_.E + 1) * call_.M);
    }
  }

 private:
  void load_behind(int64_t head, int64_t segment) {
    const int64_t segments = segment_count(call_);
    if (segment < segments - 1) {
      const int64_t next = head * segments + segment + 1;
      return sum_gradient_.copy_from(behind_ + next * FeatureSums<T>::size(call_));
    }
    const double* last = backward_.grad_sum_after;
    sum_gradient_.load_from(last ? last + head * (call_.E + 1) * call_.M : nullptr);
  }

  /// of_values_ (E, width)
  void differentiate_values() {
    const GradientChunk<S>& c = chunk_;
    multiply<false>(Matrix<T>{sum_gradient_.data(), M_}, c.key_columns, kFeatureChunk, of_values_,
                    kFeatureChunk, call_.E, c.width, call_.M, &chunk_.ahead);
    if (!c.levels.flat()) {
      for (int64_t e = 0; e < call_.E; ++e) {
        scale_numbers(of_values_ + e * kFeatureChunk, c.width, c.levels.to_end());
      }
    }
    multiply<true>(Matrix<T>{c.gradient, E_}.transposed(), c.scores, kFeatureChunk, of_values_,
                   kFeatureChunk, call_.E, c.width, c.rows);
  }

  /// of_keys_ (rows, padded M); scales the chunk's values.
  void differentiate_keys() {
    const GradientChunk<S>& c = chunk_;
    chunk_.keys.scale_to_end(c.levels, c.rows);
    multiply<false>(Matrix<T>{c.keys.values(), E_}, sum_gradient_.data(), M_, of_keys_, M_, c.rows,
                    M_, call_.E);
    multiply<true>(Matrix<T>{c.keys.ones(), 1}, sum_gradient_.last_row(), M_, of_keys_, M_, c.rows,
                   M_, 1);
    multiply<true>(Matrix<T>{c.score_gradients, kFeatureChunk}.transposed(), c.query, M_, of_keys_,
                   M_, c.rows, M_, c.rows);
  }

  /// To the gradient of the sums in front of the chunk.
  void advance(const T* count_gradient) {
    const T* from_before = chunk_.levels.from_before();
    if (chunk_.levels.flat()) {
      sum_gradient_.add(T(1), chunk_.gradient, count_gradient, chunk_.query, chunk_.rows);
      return;
    }
    T counts[kFeatureChunk];
    for (int64_t i = 0; i < chunk_.rows; ++i) counts[i] = from_before[i] * count_gradient[i];
    scale_rows(chunk_.gradient, chunk_.rows, E_, from_before);
    sum_gradient_.add(chunk_.levels.decay(), chunk_.gradient, counts, chunk_.query, chunk_.rows);
  }

  const FeaturesBackward& backward_;
  const FeaturesCall& call_;
  TokenScalars<T> scalars_;
  const T* behind_;
  int64_t M_, E_;
  Scratch scratch_;
  FeatureSums<T> sum_gradient_;
  GradientChunk<S> chunk_;
  T *of_keys_, *of_values_, *rows_;
};

/// added[i], what segment i adds to the gradient of the sums in front of it, becomes that gradient.
template <class T>
void scan_back(const FeaturesBackward& backward, int64_t head, T* added) {
  const FeaturesCall& call = backward.call;
  const int64_t segments = segment_count(call), size = FeatureSums<T>::size(call);
  Scratch scratch(FeatureLevels<T>::scratch_bytes() + FeatureSums<T>::scratch_bytes(call) +
                  Scratch::bytes<T>(size));
  FeatureLevels<T> levels(call, WeightRows::kQueries, scratch);
  levels.set_head(head);
  FeatureSums<T> last(call, scratch);
  const double* from = backward.grad_sum_after;
  last.load_from(from ? from + head * (call.E + 1) * call.M : nullptr);
  const T* behind = last.data();
  T* lost = scratch.take_zeros<T>(size);
  for (int64_t i = segments - 1; i > 0; --i) {
    const Segment span = segment_of(call, i);
    T* own = added + (head * segments + i) * size;
    add_compensated(own, size, levels.between(span.begin, span.end), behind, lost);
    behind = own;
  }
}

template <class S>
void run_features_backward(const FeaturesBackward& backward) {
  using T = Compute<S>;
  const FeaturesCall& call = backward.call;
  const int64_t heads = call.B * call.H, segments = segment_count(call), jobs = heads * segments;
  const int64_t added_size = segments > 1 ? jobs * FeatureSums<T>::size(call) : 0;
  Scratch scratch(2 * Scratch::bytes<T>(heads * call.T) + Scratch::bytes<T>(added_size));
  const TokenScalars<T> scalars{scratch.take<T>(heads * call.T), scratch.take<T>(heads * call.T)};
  T* added = added_size > 0 ? scratch.take<T>(added_size) : nullptr;
  const SegmentStarts<S> starts(call);
  const auto of_queries = [&](int64_t begin, int64_t end) {
    QueryWorker<S> worker(backward, starts, scalars, added);
    for (int64_t job = begin; job < end; ++job) worker.run(job / segments, job % segments);
  };
  call.parallel(jobs, RangeFunction(of_queries));
  for (int64_t head = 0; added && head < heads; ++head) scan_back(backward, head, added);
  const auto of_keys = [&](int64_t begin, int64_t end) {
    KeyWorker<S> worker(backward, scalars, added);
    for (int64_t job = begin; job < end; ++job) worker.run(job / segments, job % segments);
  };
  call.parallel(jobs, RangeFunction(of_keys));
}

}  // namespace

void features_backward(const FeaturesBackward& backward) {
  by_storage(backward.call.storage, [&]<class S>() { run_features_backward<S>(backward); });
}

}  // namespace lavo::cpu::LAVO_ISA
