// SPDX-License-Identifier: MIT
// Causal attention by features as a LibTorch operator, of liblavo_ops.so alone.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceType.h>
#include <c10/core/ScalarType.h>

#include <functional>
#include <string>

#include "lavo/kernels/cpu/features/call.h"
#include "lavo/operators/arguments.h"

namespace lavo {

using cpu::FeatureNormaliser;

/// What `lavo::attend_features` takes: what is left of linear, performer and cosformer once the
/// features are there. Letters as in lavo/core/mechanism.h, M features.
///
///   (s_t, c_t) = exp(l - l_t) phi_q(t)^T sum
///                + sum_{j<=t} exp(l_j - l_t) (phi_q(t) . phi_k(j)) [v_j, 1]
///   n_t = max(c_t + epsilon + feature_epsilon sum_m phi_q(t)_m, smallest), 1 where that is 0
///   o_t = s_t / n_t
///
/// The sum is float64 for calls of one token each, a million of them: in float32 every one would
/// round at the size of all before it. Levels never fall and carry no gradient; undefined: all 0.
/// Hidden keys count for nothing, whatever they hold.
///
/// Chunks of 32 tokens: products among them one by one, those with earlier tokens through the sum.
/// O(T (M E + 32 (M + E))) time. Beyond its results a call needs 4 M (E + 1) numbers a thread,
/// where B H < 4 also M (E + 1) for 256 tokens of a head; the backward pass computes everything
/// again and keeps 2 numbers a token while it runs. On CUDA: lavo/operators/features_by_sums.h.
/// Source: the chunked form of Hua et al. 2022, arXiv:2202.10447, section 3.3; levels as in online
/// softmax.
struct FeatureInputs {
  at::Tensor query, key;      ///< phi(q), phi(k) (B,H,T,M) compute type: float64 for float64
  at::Tensor value;           ///< (B,H,T,E); the output has its type
  at::Tensor key_mask = {};   ///< (B,T) bool, true = real; undefined: all real
  at::Tensor level = {};      ///< l (B,H,T) compute type
  at::Tensor sum;             ///< (B,H,E+1,M) float64: of the tokens before, zeros if none
  at::Tensor sum_level = {};  ///< (B,H), the level that `sum` stands at; with `level`
  FeatureNormaliser normaliser = {};

  static constexpr auto kOperator = "lavo::attend_features";
  static constexpr int kResults = 2;
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& v);
  void validate() const;
  using Backward = struct FeatureBackward;
  Backward backward(const Results& gradients, const std::function<bool(size_t)>& wanted) const;
};

struct FeatureOutputs {
  at::Tensor output;  ///< (B,H,T,E)
  at::Tensor sum;     ///< (B,H,E+1,M) float64, of all tokens so far, at the last one's level
};

/// Through the dispatcher: differentiable once, by grad and vjp, in query, key, value and sum;
/// second derivatives and forward mode (jvp) are refused. In gradients numbers below the smallest
/// normal one count as zeros. On the CPU outputs before token t are the same bits whatever stands
/// at t and later, NaN and infinity too. On CUDA those may reach back to the begin of a tile of 64
/// tokens.
FeatureOutputs attend_features(const FeatureInputs& in);

/// What decides whether a kernel takes a call, known before there are features.
struct AttendFeaturesFacts {
  c10::DeviceType device = c10::DeviceType::CPU;
  c10::ScalarType type = c10::ScalarType::Float;  ///< of the values
  int64_t B = 1, H = 1, T = 1, M = 64, E = 64;
  bool levels = false;
};

/// Why no kernel takes the call, which is composed then; empty where one does. Says the same in a
/// build without kernels for the device, but for sizes that only those know of.
std::string attend_features_refusal(const AttendFeaturesFacts& facts);

/// The same of values (B,H,T,E) with so many features.
bool can_attend_features(const at::Tensor& value, int64_t features, bool levels);

}  // namespace lavo
