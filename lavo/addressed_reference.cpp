// SPDX-License-Identifier: MIT
#include <cmath>

#include "lavo/lavo_reference.h"

namespace lavo {
namespace {

/// What one head sees: every weight is built, (R, seen).
struct Head {
  Tensor bases_RD, key_SD, value_SE, visible_S, decay_RS, beta_S;
  double width;
  bool unit;
  Tensor tau;

  Tensor length_one(const Tensor& x) const { return unit ? x / norm(x) : x; }
  static Tensor norm(const Tensor& x) { return (x * x).sum(-1, true).clamp_min(1e-48).sqrt(); }
  static Tensor shares(const Tensor& logits) {
    const Tensor p = (logits - logits.amax(0, true)).exp();
    return p / p.sum(0, true);
  }
  /// exp(l_{j+1} + .. + l_t) for each j.
  Tensor left() const {
    const Tensor later = torch::cat(
        {decay_RS.narrow(1, 1, decay_RS.size(1) - 1), torch::zeros_like(decay_RS.narrow(1, 0, 1))},
        1);
    return later.flip({1}).cumsum(1).flip({1});
  }
  Tensor score(const Tensor& x_SD) const {
    return tau * torch::matmul(bases_RD, length_one(x_SD).t());
  }
  Tensor feature(const Tensor& x_SD) const {  // (R, S)
    const Tensor p = shares(score(x_SD));
    return p / (p * p).sum(0, true).sqrt();
  }

  Tensor read_means(const Tensor& query_D, bool slots) const {
    const Tensor hidden = visible_S.logical_not().unsqueeze(0);
    Tensor logit = (score(key_SD) + left()).masked_fill(hidden, -1e300);
    const Tensor a = (logit - logit.amax(1, true)).exp().masked_fill(hidden, 0);
    const Tensor weight = a / a.sum(1, true).clamp_min(1e-300);
    const Tensor V = torch::matmul(weight, value_SE);
    if (!slots) return torch::matmul(shares(score(query_D.unsqueeze(0))).squeeze(1), V);
    const Tensor K = torch::matmul(weight, length_one(key_SD));
    const Tensor scale = unit ? tau : torch::full_like(tau, 1 / std::sqrt(width));
    return torch::matmul(shares(scale * torch::matmul(K, length_one(query_D))), V);
  }

  Tensor read_sum(const Tensor& query_D) const {
    const Tensor q = feature(query_D.unsqueeze(0));
    const Tensor weight = (q * feature(key_SD) * left().exp()).sum(0) * visible_S;
    return torch::matmul(weight, value_SE);
  }

  Tensor read_corrected(const Tensor& query_D) const {
    const Tensor f = feature(key_SD);
    Tensor V = torch::zeros({bases_RD.size(0), value_SE.size(1)}, torch::kFloat64);
    for (int64_t j = 0; j < key_SD.size(0); ++j) {
      V = V * decay_RS.select(1, j).exp().unsqueeze(1);
      if (!visible_S[j].item<bool>()) continue;
      const Tensor k = f.select(1, j);
      V = V + torch::outer(beta_S[j] * k, value_SE[j] - torch::matmul(k, V));
    }
    return torch::matmul(feature(query_D.unsqueeze(0)).squeeze(1), V);
  }
};

}  // namespace

Tensor addressed_reference_rows(const Inputs& in, const LavoOptions& options, const Tensor& bases,
                                const Tensor& temperature, const std::vector<int64_t>& rows) {
  const int64_t B = in.query.size(0), H = in.query.size(1), S = in.key.size(2), R = options.bases;
  const bool causal = in.pattern() == Pattern::kCausalSelf;
  Tensor fixed = torch::zeros({R, 1}, torch::kFloat64);
  if (const Tensor d = options.row_decays(); d.defined())
    fixed = d.log().view({-1, 1}).expand({R, 1});
  std::vector<Tensor> outputs;
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t h = 0; h < H; ++h) {
      for (const int64_t t : rows) {
        const int64_t seen = causal ? t + 1 : S;
        const Tensor visible = in.key_mask.defined() ? in.key_mask[b].narrow(0, 0, seen)
                                                     : torch::ones({seen}, torch::kBool);
        const Tensor hidden = visible.logical_not().unsqueeze(1);
        const auto real = [&](const Tensor& x) {
          return x[b][h].narrow(0, 0, seen).masked_fill(hidden, 0);
        };
        Tensor decay = fixed.expand({R, seen});
        if (options.slot_gate) decay = decay + real(in["slot_gate"]).t();
        const Head head{
            .bases_RD = bases[bases.size(0) == 1 ? 0 : h],
            .key_SD = real(in.key),
            .value_SE = real(in.value),
            .visible_S = visible,
            .decay_RS = decay,
            .beta_S = options.write == MemoryWrite::kDelta ? in["beta"][b][h] : Tensor(),
            .width = static_cast<double>(in.query.size(3)),
            .unit = options.unit,
            .tau = temperature.defined()
                       ? temperature.to(torch::kCPU, torch::kFloat64)[h]
                       : torch::tensor(options.temperature->number, torch::kFloat64)};
        const Tensor query = in.query[b][h][t];
        outputs.push_back(options.write == MemoryWrite::kSum ? head.read_sum(query)
                          : options.write == MemoryWrite::kDelta
                              ? head.read_corrected(query)
                              : head.read_means(query, options.memory == MemoryKind::kSlots));
      }
    }
  }
  return torch::stack(outputs).view({B, H, static_cast<int64_t>(rows.size()), -1});
}

}  // namespace lavo
