// SPDX-License-Identifier: MIT
// A call of LAVO's kernels, typed, with what one head or one tile needs of it.
#pragma once

#include "lavo/kernels/cpu/engine/token_view.h"
#include "lavo/kernels/cpu/lavo/call.h"

namespace lavo::cpu::LAVO_ISA {

/// The decay of each row, zeros beyond them; zeros where there is none.
template <class T>
void load_decay(const LavoCall& call, T* decay) {
  for (int64_t r = 0; r < padded(call.R); ++r) {
    decay[r] = call.decay && r < call.R ? static_cast<const T*>(call.decay)[r] : T(0);
  }
}

/// The bases of a head, transposed and padded so that they serve as right factors of products.
template <class T>
struct HeadBases {
  const T* project;        ///< B_K^T (D, padded R)
  const T* key;            ///< B_K (R, padded D)
  const T* value;          ///< B_V (R, padded D)
  const T* value_project;  ///< B_V^T (D, padded R)
};

/// The bases of every head, prepared once a call.
template <class T>
class Bases {
 public:
  explicit Bases(const LavoCall& call)
      : R_(call.R),
        D_(call.D),
        heads_(call.R == 0            ? 0
               : call.bases_head == 0 ? 1
                                      : call.H),
        scratch_(heads_ * 2 *
                 (Scratch::bytes<T>(rows_size()) + Scratch::bytes<T>(columns_size()))) {
    key_ = scratch_.take<T>(heads_ * rows_size());
    value_ = scratch_.take<T>(heads_ * rows_size());
    project_ = scratch_.take<T>(heads_ * columns_size());
    value_project_ = scratch_.take<T>(heads_ * columns_size());
    for (int64_t h = 0; h < heads_; ++h) {
      prepare(static_cast<const T*>(call.key_bases) + h * call.bases_head, h, key_, project_);
      prepare(static_cast<const T*>(call.value_bases) + h * call.bases_head, h, value_,
              value_project_);
    }
  }

  HeadBases<T> of(int64_t head) const {
    const int64_t h = heads_ == 1 ? 0 : head;
    return {project_ + h * columns_size(), key_ + h * rows_size(), value_ + h * rows_size(),
            value_project_ + h * columns_size()};
  }

 private:
  int64_t rows_size() const { return padded(R_) * padded(D_); }
  int64_t columns_size() const { return padded(D_) * padded(R_); }
  void prepare(const T* from, int64_t h, T* rows, T* columns) {
    rows += h * rows_size();
    load_tile<T>(from, D_, R_, D_, nullptr, rows);
    for (T* rest = rows + R_ * padded(D_); rest < rows + rows_size(); ++rest) *rest = 0;
    transpose_tile(rows, padded(D_), padded(R_), padded(D_), columns + h * columns_size(),
                   padded(R_));
  }

  int64_t R_, D_, heads_;
  Scratch scratch_;
  T *key_, *value_, *project_, *value_project_;
};

/// Position, key index and visibility of the tokens of a call.
struct Span {
  int64_t begin, end;  ///< queries
  int64_t size() const { return end - begin; }
};

inline Span chunk_span(int64_t chunk, int64_t count) {
  return {chunk * kChunk, smaller(count, (chunk + 1) * kChunk)};
}

inline const bool* visible_from(const LavoCall& call, int64_t b, int64_t key) {
  return call.visible ? call.visible + b * call.S + key : nullptr;
}

}  // namespace lavo::cpu::LAVO_ISA
