// SPDX-License-Identifier: MIT
#include "baselines/vanilla.h"

#include <cmath>
#include <limits>

#include "lavo/core/pieces.h"
#include "lavo/parts/key_value_cache.h"

namespace lavo {
namespace {

constexpr double kHiddenLogit = -std::numeric_limits<double>::infinity();

double scale_of(const Tensor& query) { return 1 / std::sqrt(static_cast<double>(query.size(3))); }

double pairs(const Shape& s) {
  return static_cast<double>(s.B * s.H) * static_cast<double>(s.T) * static_cast<double>(s.S);
}

}  // namespace

std::unique_ptr<State> VanillaBase::new_state() const { return std::make_unique<KeyValueCache>(); }

Tensor VanillaBase::attend(const Inputs& in, State* state) {
  Tensor key = in.key, value = in.value, mask_BS = in.key_mask;
  int64_t first = 0;  // position of the first query among the keys
  if (state) {
    auto& cache = static_cast<KeyValueCache&>(*state);
    first = cache.position;
    cache.append(in.key, in.value, in.key_mask);
    key = cache.key();
    value = cache.value();
    mask_BS = cache.mask();
  }
  const int64_t T = in.query.size(2), S = key.size(2);
  const bool triangular = in.pattern() == Pattern::kCausalSelf;
  if (!mask_BS.defined() && (!triangular || first == 0)) {
    return softmax_attention(in.query, key, value, {}, triangular);
  }
  Tensor visible = mask_BS.defined() ? mask_BS.unsqueeze(1).unsqueeze(1) : Tensor();
  if (triangular && T > 1) {
    const auto index = torch::TensorOptions(torch::kLong).device(key.device());
    const Tensor lower =
        torch::arange(S, index).unsqueeze(0) <= torch::arange(first, first + T, index).unsqueeze(1);
    visible = visible.defined() ? visible.logical_and(lower) : lower.unsqueeze(0).unsqueeze(0);
  }
  if (!mask_BS.defined()) return softmax_attention(in.query, key, value, visible, false);
  // A query that sees nothing is shown everything and then zeroed, so that its gradient is zero and
  // not NaN.
  const Tensor nothing = visible.any(-1, /*keepdim=*/true).logical_not();
  return softmax_attention(in.query, key, value, visible.logical_or(nothing), false)
      .masked_fill(nothing, 0);
}

Tensor VanillaBase::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  const int64_t S = in.key.size(2);
  Pieces outputs(static_cast<int64_t>(rows.size()));
  for (const int64_t t : rows) {
    const int64_t seen = in.pattern() == Pattern::kCausalSelf ? t + 1 : S;
    Tensor weight =
        (in.query.narrow(2, t, 1) * in.key.narrow(2, 0, seen)).sum(-1) * scale_of(in.query);
    if (in.key_mask.defined()) {
      weight = weight.masked_fill(in.key_mask.narrow(1, 0, seen).logical_not().unsqueeze(1),
                                  kHiddenLogit);
    }
    weight = (weight - weight.amax(-1, true).nan_to_num(0, 0, 0)).exp();  // -inf: no key is visible
    Tensor value = in.value.narrow(2, 0, seen);
    if (in.key_mask.defined()) {
      value = value.masked_fill(
          in.key_mask.narrow(1, 0, seen).logical_not().unsqueeze(1).unsqueeze(-1), 0);
    }
    const Tensor total = weight.sum(-1, true).clamp_min(std::numeric_limits<double>::min());
    outputs.add(((weight / total).unsqueeze(-1) * value).sum(2, true));
  }
  return outputs.result();
}

Cost Vanilla::cost(const Shape& s, Pattern pattern) const {
  // LibTorch's fused kernel keeps a logarithm a query; unequal widths take its explicit form.
  const double output = s.output_bytes() + 4 * static_cast<double>(s.B * s.H * s.T);
  const double matrix = s.D == s.E ? 0 : 2 * s.compute_bytes() * pairs(s);
  const double seen = pattern == Pattern::kCausalSelf ? pairs(s) / 2 : pairs(s);
  return {.flop = 2 * seen * static_cast<double>(s.D + s.E),
          .bytes = s.traffic_bytes(),
          .memory_bytes = output + matrix,
          .backward_memory_bytes = 2 * output + s.input_bytes() + 1.5 * matrix,
          .state_bytes = s.input_bytes() - s.query_bytes()};
}

Tensor Vanilla::softmax_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                  const Tensor& visible, bool triangular) const {
  const auto mask = visible.defined() ? std::optional<Tensor>(visible) : std::nullopt;
  return at::scaled_dot_product_attention(query, key, value, mask, 0.0, triangular);
}

Cost VanillaMath::cost(const Shape& s, Pattern pattern) const {
  const double matrix = s.compute_bytes() * pairs(s);  // logits; weights; their gradients
  return {.flop = 2 * pairs(s) * static_cast<double>(s.D + s.E),
          .bytes = s.traffic_bytes(),
          .memory_bytes =
              2 * matrix + (pattern == Pattern::kCausalSelf ? static_cast<double>(s.T * s.S) : 0),
          .backward_memory_bytes = 3 * matrix,
          .state_bytes = s.input_bytes() - s.query_bytes()};
}

Tensor VanillaMath::softmax_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                      const Tensor& visible, bool triangular) const {
  Tensor hidden = visible.defined() ? visible.logical_not() : Tensor();
  if (triangular) {
    const int64_t T = query.size(2);
    hidden =
        torch::ones({T, T}, torch::TensorOptions(torch::kBool).device(query.device())).triu_(1);
  }
  Tensor logits =
      torch::matmul(to_compute(query) * scale_of(query), to_compute(key).transpose(2, 3));
  if (hidden.defined()) logits.masked_fill_(hidden, kHiddenLogit);
  return torch::matmul(torch::softmax(logits, -1), to_compute(value));
}

}  // namespace lavo
