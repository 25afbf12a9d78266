// SPDX-License-Identifier: MIT
#include "baselines/nystromformer_reference.h"

#include <algorithm>
#include <cmath>

namespace lavo {
namespace {

/// One batch entry without its padding.
struct Sequence {
  Tensor query_HTD;  ///< what landmarks are made of; all queries in cross attention
  Tensor key_HSD, value_HSE;
};

Sequence real_tokens(const Inputs& in, int64_t b) {
  const Tensor q = in.query[b], k = in.key[b], v = in.value[b];
  if (!in.key_mask.defined()) return {q, k, v};
  const Tensor real = in.key_mask[b].nonzero().squeeze(1);
  return {in.is_cross() ? q : q.index_select(1, real), k.index_select(1, real),
          v.index_select(1, real)};
}

std::vector<Tensor> landmarks(const Tensor& x_HNX, int64_t count) {
  const int64_t n = x_HNX.size(1);
  std::vector<Tensor> result;
  for (int64_t i = 0, begin = 0; i < count; ++i) {
    const int64_t tokens = n / count + (i >= count - n % count ? 1 : 0);
    result.push_back(x_HNX.narrow(1, begin, tokens).sum(1) / static_cast<double>(tokens));
    begin += tokens;
  }
  return result;
}

/// softmax over the keys for one query: x (H, D), k (H, S, D) -> (H, S)
Tensor weights(const Tensor& x, const Tensor& k) {
  const Tensor logits =
      torch::matmul(k, x.unsqueeze(2)).squeeze(2) / std::sqrt(static_cast<double>(x.size(1)));
  const Tensor e = (logits - std::get<0>(logits.max(1, true))).exp();
  return e / e.sum(1, true);
}

Tensor weighted(const Tensor& weight_HS, const Tensor& value_HSE) {
  return torch::matmul(weight_HS.unsqueeze(1), value_HSE).squeeze(1);
}

struct Landmarks {
  Tensor key_HLD;
  Tensor core_HLL;     ///< A2
  Tensor summary_HLE;  ///< A3 v
};

Landmarks landmarks_of(const Sequence& tokens, int64_t count) {
  const Tensor keys = torch::stack(landmarks(tokens.key_HSD, count), 1);
  std::vector<Tensor> core, summary;
  for (const Tensor& ql : landmarks(tokens.query_HTD, count)) {
    core.push_back(weights(ql, keys));
    summary.push_back(weighted(weights(ql, tokens.key_HSD), tokens.value_HSE));
  }
  return {keys, torch::stack(core, 1), torch::stack(summary, 1)};
}

/// A2 Z etc. of one head, the polynomial multiplied out: (13 Z - 15 Z A Z + 7 Z A Z A Z - Z A Z A Z
/// A Z) / 4.
Tensor pinv(const Tensor& a, const Tensor& largest, int64_t iterations) {
  Tensor z = a.t() / largest;
  for (int64_t i = 0; i < iterations; ++i) {
    const Tensor az = a.mm(z);
    const Tensor z2 = z.mm(az), z3 = z2.mm(az), z4 = z3.mm(az);
    z = (13 * z - 15 * z2 + 7 * z3 - z4) / 4;
  }
  return z;
}

Tensor convolution_row(const Inputs& in, const Tensor& weight, int64_t b, int64_t t) {
  const int64_t taps = weight.size(2), S = in.value.size(2);
  Tensor sum = torch::zeros({in.value.size(1), in.value.size(3)}, in.value.options());
  for (int64_t i = 0; i < taps; ++i) {
    const int64_t j = t + i - taps / 2;
    if (j < 0 || j >= S) continue;
    if (in.key_mask.defined() && !in.key_mask[b][j].item<bool>()) continue;
    sum += weight.select(2, i).select(1, 0).to(torch::kFloat64) * in.value[b].select(1, j);
  }
  return sum;
}

}  // namespace

Tensor nystromformer_rows(const Inputs& in, const NystromformerOptions& options,
                          const Tensor& conv_weight, const std::vector<int64_t>& rows) {
  const int64_t B = in.query.size(0), H = in.query.size(1), L = options.landmarks;
  std::vector<Sequence> sequences;
  std::vector<std::optional<Landmarks>> found;
  Tensor largest_of_all = torch::zeros({}, in.query.options());
  for (int64_t b = 0; b < B; ++b) {
    sequences.push_back(real_tokens(in, b));
    const Sequence& tokens = sequences.back();
    found.emplace_back();
    if (std::min(tokens.query_HTD.size(1), tokens.key_HSD.size(1)) <= L) continue;
    found.back() = landmarks_of(tokens, L);
    largest_of_all = torch::maximum(largest_of_all, found.back()->core_HLL.sum(1).max());
  }
  Tensor out =
      torch::zeros({B, H, static_cast<int64_t>(rows.size()), in.value.size(3)}, in.value.options());
  for (int64_t b = 0; b < B; ++b) {
    Tensor keys = sequences[b].key_HSD, values = sequences[b].value_HSE;
    if (found[b]) {
      keys = found[b]->key_HLD;
      std::vector<Tensor> heads;
      for (int64_t h = 0; h < H; ++h) {
        const Tensor a = found[b]->core_HLL[h];
        const Tensor largest =
            options.pinv_init == PinvInit::kOriginal ? largest_of_all : a.sum(0).max();
        heads.push_back(pinv(a, largest, options.iterations).mm(found[b]->summary_HLE[h]));
      }
      values = torch::stack(heads);
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      Tensor row = out[b].select(1, static_cast<int64_t>(r));
      if (keys.size(1) > 0) row += weighted(weights(in.query[b].select(1, rows[r]), keys), values);
      if (conv_weight.defined()) row += convolution_row(in, conv_weight, b, rows[r]);
    }
  }
  return out;
}

}  // namespace lavo
