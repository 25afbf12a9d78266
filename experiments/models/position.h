// SPDX-License-Identifier: MIT
// Position encodings of a layer, whatever its mechanism.
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

enum class PositionEncoding { kRope, kSinusoidal, kLearned, kNone, kAlibi };
inline const std::vector<std::string> kPositionEncodings = {"rope", "sinusoidal", "learned", "none",
                                                            "alibi"};

/// Why the mechanism cannot have the encoding; empty where it can. ALiBi biases the logits of
/// softmax attention over all keys: another mechanism has no such logits.
std::string position_refusal(const Entry& mechanism, PositionEncoding encoding);

/// none where the mechanism encodes positions itself, else rope.
PositionEncoding default_position(const Entry& mechanism);

/// Rotary embedding: the pair (x_2i, x_2i+1) at position t is turned by the angle t 10000^(-2i/D).
/// Angles are computed in float64, so that long sequences keep their phase.
/// Source: Su et al. 2021, arXiv:2104.09864, section 3.2.
class Rotary {
 public:
  explicit Rotary(int64_t head_dim) : head_dim_(head_dim) {}
  /// x [B, H, T, D] from position `first` on -> the same shape and type.
  Tensor rotate(const Tensor& x_BHTD, int64_t first);

 private:
  Tensor factors(const Tensor& like, int64_t first, int64_t length);
  int64_t head_dim_;
  Tensor table_;  ///< [positions, D / 2] complex, grown by doubling
};

/// [length, width]: sin and cos of t 10000^(-2i/width), interleaved; float64.
/// Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
Tensor sinusoids(int64_t first, int64_t length, int64_t width, torch::Device device);

/// ALiBi without a bias matrix. The bias -m_h (t - s) of query t and key s differs from m_h s by a
/// number that all keys of a query share, and softmax does not see it: so the key's position rides
/// on two more columns, query column m_h, key columns 256 floor(s/256) and s mod 256 (both exact in
/// bfloat16 below 65536). The columns make the width D + 8, a multiple that fused kernels take.
/// float32 logits are exact to about m_h s 2^-24.
/// Source: Press et al. 2022, arXiv:2108.12409, slopes of section 3.
void widen_for_alibi(Inputs& in, int64_t first_position);

/// The slopes m_h, float64 [H]: 2^(-8h/H), h = 1 ... H, for a power of two; otherwise those of the
/// next lower power and every other one of the next higher. Fewer than 8 heads, which the source
/// does not try, begin at 1/2 as 8 do: 2^(-1 - 8(h-1)/H). By the formula two heads would begin at
/// 1/16, and small models then hardly learn the order of nearby tokens.
Tensor alibi_slopes(int64_t heads, torch::Device device);

}  // namespace lavo
