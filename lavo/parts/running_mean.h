// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

/// The mean of all tokens so far, for every token, piece by piece.
///
///   mean_t = sum_{j<=t} a^(t-j) y_j / sum_{j<=t} a^(t-j)     over real tokens j; one decay a for
///   each of the R rows, 1 = the plain mean
///
/// What is carried is the mean itself, in float64, and the weight that stands behind it: the error
/// does not grow with the length, nothing overflows, and a row that forgets quickly keeps its mean
/// across a long padding. O(R) state for each head; with decays a piece of C tokens costs O(C R) a
/// token.
class RunningMean {
 public:
  /// `decay_R` (R or 1) float64; undefined: 1 for all rows.
  explicit RunningMean(Tensor decay_R = {}) : decay_R_(std::move(decay_R)) {}

  /// y (B, H or 1, C, R) of the next tokens in the compute type, padded ones zero; mask (B, C) bool
  /// or undefined -> means of the same shape and type.
  Tensor next(const Tensor& y_BHCR, const Tensor& mask_BC);

  /// What is carried, for a kernel that advances it in place: the mean (B, H or 1, 1, R) and the
  /// weight behind it (B, 1, 1, R or 1), both float64 and contiguous. Zeros at first, of the given
  /// sizes.
  std::pair<Tensor, Tensor> carried(int64_t batch, int64_t heads, int64_t rows);

  /// Cuts the history of gradients; a stream calls it between pieces.
  void detach();
  /// The mean of what this one and `next` saw, which was begun anew `tokens` tokens before its end.
  void merge(const RunningMean& next, int64_t tokens);

  const Tensor& mean() const { return mean_BHR_; }  ///< undefined before the first piece
  const Tensor& weight() const { return weight_BR_; }
  void set_mean(const Tensor& mean_BH1R) { mean_BHR_ = mean_BH1R; }
  void set_weight(const Tensor& weight_B11R) { weight_BR_ = weight_B11R; }

 private:
  void start(int64_t batch, int64_t heads, int64_t rows, torch::Device device);
  Tensor next_piece(const Tensor& y_BHCR, const Tensor& real_BC);

  Tensor decay_R_;
  Tensor mean_BHR_;   ///< (B, H or 1, 1, R)
  Tensor weight_BR_;  ///< (B, 1, 1, R or 1)
};

/// Per row 1 - 2^-e, e evenly spaced from 1 to 9: from the mean of about two tokens to that of 512.
Tensor multiscale_decays(int64_t rows);

}  // namespace lavo
