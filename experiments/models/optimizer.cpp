// SPDX-License-Identifier: MIT
#include "experiments/models/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lavo/core/check.h"

namespace lavo {
namespace {

/// Scales all gradients so that their common norm is at most `limit`.
void clip_norm(const std::vector<Tensor>& gradients, double limit) {
  const Tensor norm = torch::stack(at::_foreach_norm(gradients)).norm();
  at::_foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp_max(1));
}

}  // namespace

AdamW::AdamW(torch::nn::Module& module, const OptimizerOptions& options) : options_(options) {
  torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    const Tensor& parameter = item.value();
    slots_.push_back({.name = item.key(),
                      .parameter = parameter,
                      .mean = torch::zeros_like(parameter),
                      .square = torch::zeros_like(parameter),
                      .steps = torch::zeros({}, parameter.options().dtype(torch::kFloat32)),
                      .decays = options.decays_all ||
                                (parameter.dim() == 2 && item.key().ends_with("_weight"))});
  }
}

void AdamW::step(double learning_rate) {
  torch::NoGradGuard no_grad;
  std::vector<Tensor> gradients;
  for (const Slot& slot : slots_) {
    if (slot.parameter.grad().defined()) gradients.push_back(slot.parameter.grad());
  }
  if (options_.clip > 0) clip_norm(gradients, options_.clip);
  for (const bool decays : {true, false}) {
    std::vector<Tensor> parameter, gradient, mean, square, steps;
    for (const Slot& slot : slots_) {
      if (slot.decays != decays || !slot.parameter.grad().defined()) continue;
      parameter.push_back(slot.parameter);
      gradient.push_back(slot.parameter.grad());
      mean.push_back(slot.mean);
      square.push_back(slot.square);
      steps.push_back(slot.steps);
    }
    if (parameter.empty()) continue;
    at::_foreach_add_(steps, 1);
    at::_fused_adamw_(parameter, gradient, mean, square, /*max_exp_avg_sqs=*/{}, steps,
                      learning_rate, options_.beta1, options_.beta2,
                      decays ? options_.weight_decay : 0, options_.epsilon, /*amsgrad=*/false,
                      /*maximize=*/false);
  }
  for (Slot& slot : slots_) slot.parameter.mutable_grad() = Tensor();
}

void AdamW::save(NamedTensors& to) const {
  for (const Slot& slot : slots_) {
    to["adam.mean." + slot.name] = slot.mean;
    to["adam.square." + slot.name] = slot.square;
    to["adam.steps." + slot.name] = slot.steps;
  }
}

void AdamW::load(const NamedTensors& from) {
  torch::NoGradGuard no_grad;
  for (Slot& slot : slots_) {
    slot.mean.copy_(from.at("adam.mean." + slot.name));
    slot.square.copy_(from.at("adam.square." + slot.name));
    slot.steps.copy_(from.at("adam.steps." + slot.name));
  }
}

double scheduled_rate(double peak, int64_t step, int64_t warmup, int64_t steps) {
  constexpr double kLast = 0.05;
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const double done = static_cast<double>(step - warmup) /
                      static_cast<double>(std::max<int64_t>(1, steps - warmup));
  return peak * (kLast + (1 - kLast) * 0.5 * (1 + std::cos(std::numbers::pi * done)));
}

}  // namespace lavo
