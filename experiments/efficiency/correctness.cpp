// SPDX-License-Identifier: MIT
#include "experiments/efficiency/correctness.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>

#include "lavo/core/condition.h"
#include "lavo/core/problem.h"

namespace lavo {
namespace {

/// The references are made of small operations, which threads only slow down on a busy machine.
constexpr int64_t kLengthForThreads = 4096;

class ReferenceThreads {
 public:
  explicit ReferenceThreads(int64_t length) : before_(at::get_num_threads()) {
    if (length < kLengthForThreads) at::set_num_threads(1);
  }
  ~ReferenceThreads() { at::set_num_threads(before_); }
  ReferenceThreads(const ReferenceThreads&) = delete;
  ReferenceThreads& operator=(const ReferenceThreads&) = delete;

 private:
  int before_;
};

/// Each of S terms holds sums over D, and an exponential multiplies the relative error of its
/// argument by the argument, about 4 here: sqrt(16 (S + D)).
double allowed_error(const Inputs& in) {
  return tolerance(in.query.scalar_type(), 16 * (in.key.size(2) + in.query.size(3)));
}

/// A gradient passes through the forward's roundings again, and through those of the products that
/// make it.
constexpr double kGradientSlack = 8;
constexpr size_t kRowsAtOnce = 16;  // the graph of all rows would be large

/// Where a formula cancels (random features far below their epsilon) float32 keeps fewer digits
/// than that. The same code in float64 must then be right, and float32 keep nearly three digits.
constexpr double kRightInFloat64 = 1e-6, kCancelled = 2e-3;

/// Gradients in float64 of the inputs, then of the parameters; taken away from where they were.
std::vector<Tensor> take_gradients(Mechanism& mechanism, Inputs& in) {
  std::vector<Tensor> gradients;
  const auto take = [&](const Tensor& x) {
    const Tensor gradient = x.grad().defined() ? x.grad() : torch::zeros_like(x);
    gradients.push_back(gradient.detach().to(torch::kCPU, torch::kFloat64));
    x.mutable_grad() = Tensor();
  };
  in.each(take);
  for (const Tensor& parameter : mechanism.parameters()) {
    if (parameter.requires_grad()) take(parameter);
  }
  return gradients;
}

double gradient_error(const Tensor& actual, const Tensor& expected) {
  if (!actual.isfinite().all().item<bool>()) return std::numeric_limits<double>::infinity();
  const Tensor norm = expected.norm(2, -1);
  const double typical = norm.square().mean().sqrt().item<double>();
  if (typical == 0) return actual.abs().max().item<double>();
  return ((actual - expected).norm(2, -1) / norm.clamp_min(typical)).max().item<double>();
}

double worst_gradient_error(const std::vector<Tensor>& actual,
                            const std::vector<Tensor>& expected) {
  double worst = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    worst = std::max(worst, gradient_error(actual[i], expected[i]));
  }
  return worst;
}

}  // namespace

Check check_output(Mechanism& mechanism, const Inputs& in, const Tensor& output,
                   const std::vector<int64_t>& rows) {
  torch::NoGradGuard no_grad;
  const ReferenceThreads threads(in.key.size(2));
  const Tensor index = torch::tensor(rows, torch::kLong).to(output.device());
  Check check{
      .rows = rows,
      .error = worst_row_error(output.index_select(2, index), mechanism.reference(in, rows)),
      .allowed = allowed_error(in)};
  if (!check.passed()) check.allowed += moved_by(check.allowed, mechanism, in, rows);
  return check;
}

Check check_gradients(Mechanism& mechanism, const Inputs& given, const std::vector<int64_t>& rows,
                      uint64_t seed) {
  const torch::ScalarType type = given.query.scalar_type();
  auto generator = make_generator(seed);
  const Shape s = given.shape();
  const Tensor weight_BHRE =
      torch::randn({s.B, s.H, static_cast<int64_t>(rows.size()), s.E}, generator, torch::kFloat64)
          .to(given.query.options())
          .to(torch::kFloat64);
  const Tensor index = torch::tensor(rows, torch::kLong).to(given.query.device());

  const auto through_forward = [&](torch::ScalarType computed) {
    Inputs in = given.to(computed).leaves();
    const Tensor output = mechanism.forward(in);
    output.backward(torch::zeros_like(output).index_copy(2, index, weight_BHRE.to(computed)));
    return take_gradients(mechanism, in);
  };
  const auto actual = through_forward(type);

  // With its parameters: what many passes leave in gradients of 16 bits is rounded by each of them.
  mechanism.to(torch::kFloat64);
  const ReferenceThreads threads(s.S);
  Inputs wide = given.to(torch::kFloat64).leaves();
  for (size_t first = 0; first < rows.size(); first += kRowsAtOnce) {
    const size_t count = std::min(kRowsAtOnce, rows.size() - first);
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
    mechanism.reference(wide, {begin, begin + static_cast<std::ptrdiff_t>(count)})
        .backward(weight_BHRE.narrow(2, static_cast<int64_t>(first), static_cast<int64_t>(count)));
  }
  const auto expected = take_gradients(mechanism, wide);

  Check check{.rows = rows,
              .error = worst_gradient_error(actual, expected),
              .allowed = kGradientSlack * allowed_error(given)};
  if (!check.passed() && type != torch::kFloat64 &&
      worst_gradient_error(through_forward(torch::kFloat64), expected) <= kRightInFloat64) {
    check.allowed = std::max(check.allowed, kCancelled);
  }
  mechanism.to(type);
  return check;
}

}  // namespace lavo
