// SPDX-License-Identifier: MIT
#include "lavo/parts/mean_slots.h"

#include <ATen/ops/logcumsumexp.h>

namespace lavo {
namespace {

/// The normaliser of no token at all: below all that occur, and still a number.
constexpr double kNoToken = -1e30;

}  // namespace

// z is float64: it grows by 1 / t a token, and decays are added up from the first one.
MeanGates mean_gates(const Tensor& logits, const Tensor& log_decay, const Tensor& normaliser) {
  const int64_t T = logits.size(2);
  const Tensor wide = logits.to(torch::kFloat64).clamp_min(kNoToken);
  const Tensor begin = normaliser.defined() ? normaliser.to(torch::kFloat64).unsqueeze(2)
                                            : torch::full_like(wide.narrow(2, 0, 1), kNoToken);
  Tensor decay, since_begin, undecayed = wide;
  if (log_decay.defined()) {
    decay = log_decay.to(torch::kFloat64).expand_as(wide);
    since_begin = decay.cumsum(2);
    undecayed = wide - since_begin;
  }
  Tensor z = at::logcumsumexp(torch::cat({begin, undecayed}, 2), 2);
  if (decay.defined()) z = z + torch::cat({torch::zeros_like(begin), since_begin}, 2);
  // No difference of two normalisers: exp(z_{t-1} - z_t) = 1 / (1 + exp(l_t - z_{t-1})).
  Tensor ahead = wide - z.narrow(2, 0, T);
  if (decay.defined()) ahead = ahead - decay;
  ahead = ahead.to(compute_type(logits.scalar_type()));
  return {torch::sigmoid(ahead), torch::log_sigmoid(-ahead), z.select(2, T)};
}

}  // namespace lavo
