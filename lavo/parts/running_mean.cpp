// SPDX-License-Identifier: MIT
#include "lavo/parts/running_mean.h"

#include <ATen/ops/cummax.h>
#include <ATen/ops/cumsum.h>

#include <algorithm>

#include "lavo/core/pieces.h"
#include "lavo/parts/in_place.h"

namespace lavo {
namespace {

constexpr int64_t kDecayedPiece = 64;  // the decays of a piece make a matrix of this side for a row

/// What a piece adds: the means of its own tokens times their share in all the weight, and the
/// share of what was carried. Both float64 but for `inside`.
struct Step {
  Tensor inside_BHCR;
  Tensor carried_share;  ///< (B or 1, 1, C, R or 1)
  Tensor weight;         ///< of the last token, (B or 1, 1, 1, R or 1)
};

Tensor last(const Tensor& x, int64_t dim = 2) { return x.narrow(dim, x.size(dim) - 1, 1); }

/// 1 where the piece has shown no real token yet, whatever became of the weight that was carried.
Tensor share(const Tensor& before, const Tensor& inside) {
  return torch::where(inside > 0, before / (before + inside), 1.0);
}

Step plain_step(const Tensor& y, const Tensor& real_BC, const Tensor& before) {
  const Tensor count = real_BC.cumsum(1).view({real_BC.size(0), 1, -1, 1});
  const Tensor weight = before + count;
  const Tensor inverse = weight.clamp_min(1).reciprocal().to(y.scalar_type());
  return {times(at::cumsum(y, 2), inverse), share(before, count), last(weight)};
}

Step decayed_step(const Tensor& y, const Tensor& real_BC, const Tensor& before,
                  const Tensor& decay_R) {
  const int64_t B = y.size(0), H = y.size(1), C = y.size(2), R = y.size(3);
  const Tensor j = torch::arange(C, real_BC.options());
  // Ages are counted from the last real token: a common factor cancels, and would underflow in a
  // long padding. -1: no real token in the piece so far.
  const Tensor latest = std::get<0>(at::cummax(torch::where(real_BC > 0, j, -1.0), 1));
  const Tensor age = (latest.unsqueeze(2) - j).clamp_min(0);                    // (B or 1, C, C)
  const Tensor counted = real_BC.unsqueeze(1) * (j <= j.unsqueeze(1)).to(age);  // (B or 1, C, C)
  const Tensor decay = decay_R.view({1, -1, 1, 1});
  const Tensor inside = torch::pow(decay, age.unsqueeze(1)) * counted.unsqueeze(1);  // (., R, C, C)
  const Tensor sum = inside.sum(3, /*keepdim=*/true);                                // (., R, C, 1)
  const Tensor carried =
      before.permute({0, 3, 2, 1}) * torch::pow(decay, latest.view({-1, 1, C, 1}) + 1);
  const Tensor weight = sum + carried;
  const Tensor mixing = torch::where(weight > 0, inside / weight, 0.0).to(y.scalar_type());
  const Tensor means = torch::matmul(mixing, y.permute({0, 3, 2, 1}));  // (B, R, C, H)
  const Tensor since =
      torch::pow(decay, static_cast<double>(C - 1) - last(latest, 1).view({-1, 1, 1, 1}));
  return {means.permute({0, 3, 2, 1}).reshape({B, H, C, R}),
          share(carried, sum).permute({0, 3, 2, 1}), (last(weight) * since).permute({0, 3, 2, 1})};
}

}  // namespace

void RunningMean::start(int64_t batch, int64_t heads, int64_t rows, torch::Device device) {
  if (mean_BHR_.defined()) return;
  const auto wide = torch::TensorOptions(torch::kFloat64).device(device);
  mean_BHR_ = torch::zeros({batch, heads, 1, rows}, wide);
  weight_BR_ = torch::zeros({batch, 1, 1, decay_R_.defined() ? decay_R_.numel() : 1}, wide);
  if (decay_R_.defined()) decay_R_ = decay_R_.to(device);
}

std::pair<Tensor, Tensor> RunningMean::carried(int64_t batch, int64_t heads, int64_t rows) {
  start(batch, heads, rows, torch::kCPU);
  mean_BHR_ = mean_BHR_.contiguous();
  weight_BR_ = weight_BR_.expand({batch, 1, 1, decay_R_.defined() ? rows : 1}).contiguous();
  return {mean_BHR_, weight_BR_};
}

Tensor RunningMean::next(const Tensor& y, const Tensor& mask) {
  const int64_t C = y.size(2), step = decay_R_.defined() ? kDecayedPiece : C;
  const auto wide = torch::TensorOptions(torch::kFloat64).device(y.device());
  const Tensor real = mask.defined() ? mask.to(wide) : torch::ones({1, C}, wide);
  start(y.size(0), y.size(1), y.size(3), y.device());
  Pieces pieces(C);
  for (int64_t t = 0; t < C; t += step) {
    const int64_t length = std::min(step, C - t);
    pieces.add(next_piece(y.narrow(2, t, length), real.narrow(1, t, length)));
  }
  return pieces.result();
}

Tensor RunningMean::next_piece(const Tensor& y, const Tensor& real_BC) {
  const Step step = decay_R_.defined() ? decayed_step(y, real_BC, weight_BR_, decay_R_)
                                       : plain_step(y, real_BC, weight_BR_);
  const Tensor before = mean_BHR_;
  mean_BHR_ = last(step.carried_share) * before + last(step.inside_BHCR).to(torch::kFloat64);
  weight_BR_ = step.weight;
  return plus(step.inside_BHCR,
              step.carried_share.to(y.scalar_type()) * before.to(y.scalar_type()));
}

void RunningMean::detach() {
  if (mean_BHR_.defined()) mean_BHR_ = mean_BHR_.detach();
  if (weight_BR_.defined()) weight_BR_ = weight_BR_.detach();
}

void RunningMean::merge(const RunningMean& next, int64_t tokens) {
  if (!next.mean_BHR_.defined()) return;
  if (!mean_BHR_.defined()) {
    *this = next;
    mean_BHR_ = mean_BHR_.clone();  // kernels advance both in place
    weight_BR_ = weight_BR_.clone();
    return;
  }
  Tensor before = weight_BR_;
  if (decay_R_.defined()) {
    before = before * torch::pow(decay_R_.view({1, 1, 1, -1}), static_cast<double>(tokens));
  }
  const Tensor weight = before + next.weight_BR_;
  const Tensor share = torch::where(weight > 0, before / weight, 0.0);
  mean_BHR_ = share * mean_BHR_ + (1 - share) * next.mean_BHR_;
  weight_BR_ = weight;
}

Tensor multiscale_decays(int64_t rows) {
  const Tensor e = torch::linspace(1, 9, rows, torch::kFloat64);
  return 1 - torch::pow(2.0, -e);
}

}  // namespace lavo
