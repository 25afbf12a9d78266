// SPDX-License-Identifier: MIT
// The fused kernels as LibTorch operators, of liblavo_ops.so alone.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <functional>
#include <string>

#include "lavo/operators/arguments.h"

namespace lavo {

/// What `lavo::attend` takes. Letters as in lavo/core/mechanism.h.
///
///   o_t = w_0 B_V^T (p_t (.) h^V_t) + w_1 sum_j a_tj v_j
///   p_t = softmax_i(h^K_ti (B_K q_t)_i / sqrt(D))
///   a_t = softmax_j(q_t . k_j / sqrt(D) + bias[h, t - j + W - 1])   over the keys of t's window
///
/// `memory` says what h is the mean of: "none" (no first term), "shared" (B_K v for both),
/// "key_value" (B_K k and B_K v) or "projected" (`projected` for both). Causal and not cross: the
/// mean up to t; else over all keys. Hidden keys count for nothing, whatever they hold.
///
/// Time O(T (R + W) D). Beyond the output, forward needs a few KiB a thread and R numbers for every
/// 2048 tokens of a head; backward recomputes, so nothing but the inputs is kept for it.
struct AttendInputs {
  at::Tensor query, key, value;  ///< (B,H,T,D), (B,H,S,D), (B,H,S,E); E = D with a memory
  at::Tensor weights;            ///< (2,H) compute type: of the memory, of the window
  /// (H or 1,R,D) compute type. Without value_bases key_bases are both, which is how to say so:
  /// what autograd's hooks or autocast hand back of one tensor given twice are two.
  at::Tensor key_bases = {}, value_bases = {};
  at::Tensor projected = {};  ///< (B,S,R) compute type
  at::Tensor bias = {};       ///< (H,(look_back + 2) W - 1) compute type; undefined: none
  at::Tensor key_mask = {};   ///< (B,S) bool, true = real; undefined: all real
  at::Tensor decay = {};      ///< (R) compute type, of the running mean; undefined: 1
  std::string memory = "none";
  int64_t window = 0;  ///< W; 0: no second term
  int64_t look_back = 0;
  bool causal = false;
  bool cross = false;

  static constexpr auto kOperator = "lavo::attend";
  static constexpr int kResults = 1;
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& v);
  void validate() const;
  using Backward = struct AttendBackward;
  Backward backward(const Results& gradients, const std::function<bool(size_t)>& wanted) const;
};

/// (B,H,T,E) in the type of the query; in memory as the query lies: heads inside tokens or tokens
/// inside heads. Through the dispatcher: differentiable once, by grad and vjp, in query, key,
/// value, weights, bases, projected and bias; second derivatives and forward mode (jvp) are
/// refused. In gradients numbers below the smallest normal one count as zeros.
///
/// On the CPU what is not finite reaches no output whose query does not see it: outputs before
/// token t are the same bits whatever stands at t and later, and those of other windows too. On
/// CUDA it may reach back to the begin of a tile of 64 tokens.
at::Tensor attend(const AttendInputs& in);

/// What decides whether a kernel takes a call, known before there are tensors. Letters as above.
struct AttendFacts {
  c10::Device device = c10::DeviceType::CPU;
  c10::ScalarType type = c10::ScalarType::Float;  ///< of query, key and value
  int64_t B = 1, H = 1, T = 1, S = 1, D = 64, E = 64, R = 64;
  std::string memory = "none";
  int64_t window = 0, look_back = 0;
  bool causal = false, cross = false, decay = false;
  bool one_bases = true;  ///< B_K and B_V are the same tensor
};

/// Why no kernel takes the call, which is composed then; empty where one does. Says the same in a
/// build without kernels for the device, but for sizes that only those know of and for what a GPU
/// that is there allows.
std::string attend_refusal(const AttendFacts& facts);

/// The same of tensors, whose shapes go together.
bool can_attend(const AttendInputs& in);

/// What a stream carries. Means and weight are advanced; undefined where there is no memory.
struct AttendStream {
  at::Tensor key_mean = {},
             value_mean = {};  ///< (B,H or 1,R) float64; the first for "key_value" only
  at::Tensor weight = {};      ///< (B,R) with decay, else (B), float64
  int64_t past = 0;            ///< keys in front of the first query's own
  int64_t position = 0;        ///< of the first query
};

/// The next piece of a causal sequence: S = past + T keys, `projected` of the T new ones. No
/// gradients.
at::Tensor attend_piece(const AttendInputs& in, AttendStream& stream);

}  // namespace lavo
