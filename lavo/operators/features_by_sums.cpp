// SPDX-License-Identifier: MIT
#include "lavo/operators/features_by_sums.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "lavo/operators/kernel_tensors.h"

namespace lavo {
namespace {

constexpr int64_t kBlock = 64;  // columns of one call

constexpr int64_t whole_columns(int64_t n) { return (n + 7) / 8 * 8; }

/// Zeros behind the last of its rows and columns.
at::Tensor extended(const at::Tensor& x, int64_t rows, int64_t columns) {
  if (x.size(2) == rows && x.size(3) == columns) return x;
  return at::constant_pad_nd(x, {0, columns - x.size(3), 0, rows - x.size(2)});
}

/// [x, y] and zeros, in the type of y.
at::Tensor joined(const at::Tensor& x_BHTE, const at::Tensor& y_BHT1) {
  const int64_t E = x_BHTE.size(3);
  const at::Tensor both = at::zeros(
      {x_BHTE.size(0), x_BHTE.size(1), x_BHTE.size(2), whole_columns(E + 1)}, y_BHT1.options());
  both.narrow(3, 0, E).copy_(x_BHTE);
  both.narrow(3, E, 1).copy_(y_BHT1);
  return both;
}

/// A causal sum of any whole columns; over more features it is a sum of sums.
at::Tensor sums_in_blocks(const CausalSums& causal_sums, const at::Tensor& query,
                          const at::Tensor& key, const at::Tensor& value, bool reverse) {
  const auto block = [](const at::Tensor& x, int64_t first) {
    return x.narrow(3, first, std::min(kBlock, x.size(3) - first));
  };
  const at::Tensor out = at::empty(value.sizes(), value.options());
  for (int64_t e = 0; e < value.size(3); e += kBlock) {
    const at::Tensor sums = block(out, e);
    for (int64_t m = 0; m < query.size(3); m += kBlock) {
      const at::Tensor part = m == 0 ? sums : at::empty(sums.sizes(), sums.options());
      causal_sums(block(query, m), block(key, m), block(value, e), reverse, part);
      if (m > 0) sums.add_(part);
    }
  }
  return out;
}

/// sum_t x_t y_t^T, of so many tokens together: one by one, each would be rounded at the size of
/// all before it.
at::Tensor sum_of_products(const at::Tensor& x, const at::Tensor& y) {
  constexpr int64_t kTogether = 512;
  const int64_t pieces = x.size(2) / kTogether, cut = pieces * kTogether, rest = x.size(2) - cut;
  const auto product = [](const at::Tensor& a, const at::Tensor& b) {
    return at::matmul(a.transpose(-2, -1), b);
  };
  if (pieces == 0) return product(x, y);
  const auto cut_up = [&](const at::Tensor& z) {
    return z.narrow(2, 0, cut).unflatten(2, {pieces, kTogether});
  };
  const at::Tensor sum = product(cut_up(x), cut_up(y)).sum(2);
  return rest == 0 ? sum : sum + product(x.narrow(2, cut, rest), y.narrow(2, cut, rest));
}

/// What both passes read, extended to whole columns.
class ExtendedCall {
 public:
  ExtendedCall(const CausalSums& causal_sums, const FeatureInputs& given)
      : causal_sums_(causal_sums), in_(checked(given)) {
    TORCH_CHECK(!in_.level.defined(), "lavo::attend_features: causal sums have no levels");
    const int64_t T = in_.query.size(2), columns = whole_columns(M());
    query_ = extended(in_.query, T, columns);
    key_ = extended(in_.key, T, columns);
    const auto options = in_.query.options();
    at::Tensor value = in_.value, one = at::ones({1, 1, 1, 1}, options);
    if (in_.key_mask.defined()) {
      const at::Tensor hidden = in_.key_mask.logical_not().unsqueeze(1).unsqueeze(3);
      key_ = key_.masked_fill(hidden, 0);
      value = value.masked_fill(hidden, 0);
      one = hidden.logical_not().to(options);
    }
    x_ = joined(value, one.expand({value.size(0), value.size(1), T, 1}));
    sum_ = extended(in_.sum.to(options.dtype()), x_.size(3), columns);
    s_ = sums_in_blocks(causal_sums_, query_, key_, x_, false);
    s_.add_(at::matmul(query_, sum_.transpose(2, 3)));
    normalise();
  }

  /// (B,H,T,E) in the compute type.
  at::Tensor output() const { return s_.narrow(3, 0, E()) / normaliser_; }
  at::Tensor sum_after() const { return in_.sum + trimmed(sum_of_products(x_, key_)); }

  FeatureGradients gradients(const at::Tensor& grad_output, const at::Tensor& grad_sum) const {
    const at::Tensor ds = grad_output.to(query_.scalar_type()) / normaliser_;
    const at::Tensor dc = (ds * output()).sum(3, true).neg_().masked_fill_(cut_off_, 0);
    const at::Tensor g = joined(ds, dc);
    at::Tensor query = sums_in_blocks(causal_sums_, g, x_, key_, false).add_(at::matmul(g, sum_));
    if (in_.normaliser.feature_epsilon != 0) query.add_(dc, in_.normaliser.feature_epsilon);
    at::Tensor key = sums_in_blocks(causal_sums_, x_, g, query_, true);
    at::Tensor x = sums_in_blocks(causal_sums_, key_, query_, g, true);
    at::Tensor sum = trimmed(sum_of_products(g, query_)).to(at::kDouble);
    if (grad_sum.defined()) {
      const at::Tensor G = extended(grad_sum.to(query_.scalar_type()), x_.size(3), query_.size(3));
      key.add_(at::matmul(x_, G));
      x.add_(at::matmul(key_, G.transpose(2, 3)));
      sum = sum + grad_sum;
    }
    return {with_plain_strides(query.narrow(3, 0, M())), with_plain_strides(key.narrow(3, 0, M())),
            with_plain_strides(x.narrow(3, 0, E()).to(in_.value.scalar_type())),
            with_plain_strides(sum)};
  }

  at::ScalarType value_type() const { return in_.value.scalar_type(); }

 private:
  int64_t M() const { return in_.query.size(3); }
  int64_t E() const { return in_.value.size(3); }

  at::Tensor trimmed(const at::Tensor& sum) const {
    return sum.narrow(2, 0, E() + 1).narrow(3, 0, M());
  }

  void normalise() {
    const FeatureNormaliser& by = in_.normaliser;
    at::Tensor total = s_.narrow(3, E(), 1) + by.epsilon;
    if (by.feature_epsilon != 0) total = total + by.feature_epsilon * query_.sum(3, true);
    cut_off_ = (total < by.smallest).logical_or_(total == 0);
    normaliser_ = total.clamp_min(by.smallest);
    normaliser_ = normaliser_.masked_fill(normaliser_ == 0, 1);
  }

  const CausalSums& causal_sums_;
  FeatureInputs in_;
  at::Tensor query_, key_;  ///< (B,H,T,M), hidden keys zero
  at::Tensor x_;            ///< [v, 1] (B,H,T,E+1)
  at::Tensor sum_;          ///< (B,H,E+1,M)
  at::Tensor s_;            ///< [s, c] (B,H,T,E+1)
  at::Tensor normaliser_;   ///< n (B,H,T,1)
  at::Tensor cut_off_;      ///< where n does not follow c
};

// An autocast region would turn matrix products into 16 bits.
using WithoutAutocast = c10::impl::ExcludeDispatchKeyGuard;

}  // namespace

FeatureOutputs features_forward_by_sums(const CausalSums& causal_sums, const FeatureInputs& in) {
  const WithoutAutocast guard(c10::autocast_dispatch_keyset);
  const ExtendedCall call(causal_sums, in);
  return {with_plain_strides(call.output().to(call.value_type())),
          with_plain_strides(call.sum_after())};
}

FeatureGradients features_backward_by_sums(const CausalSums& causal_sums,
                                           const at::Tensor& grad_output,
                                           const at::Tensor& grad_sum, const FeatureInputs& in) {
  const WithoutAutocast guard(c10::autocast_dispatch_keyset);
  return ExtendedCall(causal_sums, in).gradients(grad_output, grad_sum);
}

}  // namespace lavo
