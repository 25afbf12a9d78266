// SPDX-License-Identifier: MIT
#include "lavo/parts/causal_sum.h"

#include <ATen/ops/baddbmm.h>

#include <algorithm>

namespace lavo {
namespace {

/// [G, n] -> [G, n (t), n (j)]: exp(level_j - level_t) for j <= t, 0 elsewhere.
Tensor falling_weights(const Tensor& level) {
  // Clamped, because an infinity behind the diagonal would make the gradient NaN.
  return (level.unsqueeze(1) - level.unsqueeze(2)).clamp_max_(0).exp_().tril_();
}

Tensor lower_triangle(const Tensor& scores) {
  return scores.requires_grad() ? scores.tril() : scores.tril_();
}

/// In front of each chunk, [G, N, X], from what each adds; `carried` [G, 1, X], float64, goes
/// behind the last.
Tensor prefix_sums(const Tensor& added, Tensor& carried) {
  const int64_t N = added.size(1);
  const Tensor first = carried.to(added.scalar_type());
  const Tensor before =
      N == 1
          ? first
          : at::baddbmm(
                first, torch::ones({N, N}, added.options()).tril_(-1).expand({added.size(0), N, N}),
                added);
  carried = carried + added.sum(1, /*keepdim=*/true);
  return before;
}

/// The same where each term stands at its own level: `edge` [G, N + 1] holds those of the carried
/// sum and of the chunks' ends.
Tensor prefix_sums(const Tensor& added, const Tensor& edge, Tensor& carried) {
  const int64_t N = added.size(1);
  const Tensor weights = falling_weights(edge);
  const Tensor all = torch::cat({carried.to(added.scalar_type()), added}, 1);
  const Tensor to_end = weights.narrow(1, N, 1);
  carried = carried * to_end.narrow(2, 0, 1) + torch::bmm(to_end.narrow(2, 1, N), added);
  return torch::bmm(weights.narrow(1, 0, N), all);
}

}  // namespace

Tensor causal_sum(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& level,
                  int64_t chunk, CausalSum& carried) {
  const int64_t B = query.size(0), H = query.size(1), T = query.size(2), M = query.size(3),
                E = value.size(3);
  const int64_t C = std::min(chunk, T), N = T / C;
  const auto chunks = [&](const Tensor& x) { return x.reshape({B * H * N, C, x.size(3)}); };
  const Tensor q = chunks(query), k = chunks(key), v = chunks(value);
  Tensor scores = torch::bmm(q, k.transpose(1, 2));
  Tensor sum = carried.sum_BHME.reshape({B * H, 1, M * E});
  Tensor from_before;
  if (level.defined()) {
    const Tensor level_GNC = level.view({B * H, N, C});
    const Tensor edge =
        torch::cat({carried.level_BH1.view({B * H, 1}), level_GNC.select(2, C - 1)}, 1);
    const Tensor begin = edge.narrow(1, 0, N).unsqueeze(2), end = edge.narrow(1, 1, N).unsqueeze(2);
    const Tensor to_end = (level_GNC - end).exp_().view({-1, C, 1});
    const Tensor from_begin = (begin - level_GNC).exp_().view({-1, C, 1});
    const Tensor added = torch::bmm(k.transpose(1, 2), v * to_end).view({B * H, N, M * E});
    const Tensor before = prefix_sums(added, edge, sum).reshape({-1, M, E});
    from_before = torch::bmm(q, before) * from_begin;
    scores = scores * falling_weights(level_GNC.flatten(0, 1));
    carried.level_BH1 = edge.narrow(1, N, 1).view({B, H, 1});
  } else {
    const Tensor added = torch::bmm(k.transpose(1, 2), v).view({B * H, N, M * E});
    from_before = torch::bmm(q, prefix_sums(added, sum).view({-1, M, E}));
    scores = lower_triangle(scores);
  }
  carried.sum_BHME = sum.view({B, H, M, E});
  return at::baddbmm(from_before, scores, v).view({B, H, T, E});
}

}  // namespace lavo
