// SPDX-License-Identifier: MIT
#include "lavo/lavo_reference.h"

#include <algorithm>
#include <cmath>

namespace lavo {
namespace {

Tensor wide(const Tensor& x) { return x.to(torch::kCPU, torch::kFloat64); }

/// Gram and Schmidt, row by row, starting afresh every D rows.
Tensor gram_schmidt(const Tensor& rows_HRX) {
  std::vector<Tensor> result;
  const auto width = static_cast<size_t>(rows_HRX.size(2));
  for (size_t i = 0; i < static_cast<size_t>(rows_HRX.size(1)); ++i) {
    Tensor row = rows_HRX.select(1, static_cast<int64_t>(i));
    for (size_t j = i - i % width; j < i; ++j) {
      row = row - result[j] * (row * result[j]).sum(-1, true);
    }
    result.push_back(row / row.norm(2, -1, true));
  }
  return torch::stack(result, 1);
}

/// (R, S), or (1, S) where rows do not differ: what token j counts for in row i at time t, over the
/// sum of it.
Tensor mean_weights(const LavoOptions& options, const Tensor& visible_S, int64_t t) {
  const int64_t S = visible_S.size(0), R = options.bases;
  const Tensor age = t - torch::arange(S, torch::kFloat64);
  // The youngest visible token counts 1: the factor cancels, and long paddings do not underflow.
  const Tensor visible_age = age.masked_fill(visible_S.logical_not(), 1e300);
  const double youngest = visible_S.any().item<bool>() ? visible_age.min().item<double>() : 0;
  if (!options.has_decay())
    return visible_S.to(torch::kFloat64).unsqueeze(0) /
           std::max<double>(1, visible_S.sum().item<double>());
  std::vector<double> decay(static_cast<size_t>(R), options.decay.number);
  for (size_t i = 0; options.decay.is("multiscale") && i < decay.size(); ++i) {
    decay[i] =
        1 - std::exp2(-1 - (R > 1 ? 8.0 * static_cast<double>(i) / static_cast<double>(R - 1) : 0));
  }
  const Tensor weight = torch::pow(torch::tensor(decay, torch::kFloat64).unsqueeze(1),
                                   (age - youngest).clamp_min(0)) *
                        visible_S;
  return weight / weight.sum(1, true).clamp_min(1e-300);
}

/// (R): h_i = sum_j w_ij b_i . x_j
Tensor mean_of(const Tensor& weight_RS, const Tensor& bases_RX, const Tensor& x_SX) {
  return (torch::matmul(weight_RS, x_SX) * bases_RX).sum(1);
}

}  // namespace

Tensor lavo_reference_rows(const Inputs& given, const LavoOptions& options,
                           const LavoParameters& parameters, const std::vector<int64_t>& rows) {
  Inputs in = given;
  in.each([](Tensor& x) { x = wide(x); });
  if (in.key_mask.defined()) in.key_mask = in.key_mask.to(torch::kCPU);
  const int64_t B = in.query.size(0), H = in.query.size(1), S = in.key.size(2),
                D = in.query.size(3);
  const bool causal = in.pattern() == Pattern::kCausalSelf;
  const bool context = options.memory == MemoryKind::kContext;
  Tensor bases = wide(parameters.bases);
  if (bases.dim() == 2) bases = bases.unsqueeze(0);
  if (options.bases_train == BasesTrain::kOrthogonal) bases = gram_schmidt(bases);

  Tensor local;
  if (options.dissect && !in.is_cross()) {
    const Tensor bias =
        parameters.relative_bias.defined() ? wide(parameters.relative_bias) : Tensor();
    local = window_attention_rows(in, bias, {options.window, options.look_back, in.causal}, rows);
  }

  const auto memory_row = [&](int64_t b, int64_t h, int64_t t, const Tensor& weight,
                              const auto& source) -> Tensor {
    const Tensor B_h = bases[bases.size(0) == 1 ? 0 : h];
    Tensor key_mean, value_mean, key_rows = B_h, value_rows = B_h;
    if (context) {
      key_mean = value_mean = mean_of(weight, B_h, source(in["tokens"][b]));
      key_rows = torch::matmul(B_h, in["key_weight"][h]);
      value_rows = torch::matmul(B_h, in["value_weight"][h]);
    } else {
      value_mean = mean_of(weight, B_h, source(in.value[b][h]));
      key_mean = options.memory == MemoryKind::kShared ? value_mean
                                                       : mean_of(weight, B_h, source(in.key[b][h]));
    }
    const Tensor keys = key_mean.unsqueeze(1) * key_rows;  // the memory itself, R x D
    const Tensor values = value_mean.unsqueeze(1) * value_rows;
    const Tensor logit = (keys * in.query[b][h][t]).sum(1) / std::sqrt(D);
    const Tensor p = (logit - logit.max()).exp();
    return ((p / p.sum()).unsqueeze(1) * values).sum(0);
  };
  Tensor addressed;
  if (options.has_addresses()) {
    addressed = addressed_reference_rows(in, options, bases, parameters.temperature, rows);
  }
  Tensor out = torch::zeros({B, H, static_cast<int64_t>(rows.size()), D}, torch::kFloat64);
  for (int64_t b = 0; b < B; ++b) {
    for (size_t n = 0; n < rows.size(); ++n) {
      const int64_t seen = causal ? rows[n] + 1 : S;
      const Tensor visible = in.key_mask.defined() ? in.key_mask[b].narrow(0, 0, seen)
                                                   : torch::ones({seen}, torch::kBool);
      const Tensor hidden = visible.logical_not().unsqueeze(1);
      const Tensor weight = mean_weights(options, visible, seen - 1);
      const auto source = [&](const Tensor& x_SX) {
        const Tensor x = wide(x_SX.narrow(0, 0, seen));
        return in.key_mask.defined() ? x.masked_fill(hidden, 0) : x;
      };
      for (int64_t h = 0; h < H; ++h) {
        Tensor row = addressed.defined() ? addressed[b][h][static_cast<int64_t>(n)]
                                         : memory_row(b, h, rows[n], weight, source);
        if (options.global_scale == GlobalScale::kRows) row = row * options.bases;
        if (local.defined()) {
          const Tensor mix = parameters.mix_logit.defined()
                                 ? 1 / (1 + (-wide(parameters.mix_logit)[h]).exp())
                                 : torch::tensor(options.mix.number, torch::kFloat64);
          row = (1 - mix) * row + mix * local[b][h][static_cast<int64_t>(n)];
        }
        out[b][h][static_cast<int64_t>(n)] = row;
      }
    }
  }
  return out;
}

}  // namespace lavo
