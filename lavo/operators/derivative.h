// SPDX-License-Identifier: MIT
// Derivatives of first order: a node of the graph that calls another operator. By a node, as
// LibTorch's own operators do, and not by torch::autograd::Function, which functorch refuses: so
// grad, vjp and make_fx work, too. Forward mode (jvp) and second derivatives are refused in one
// line.
//
// Inputs with a derivative name the operator that gives it, `using Backward`, and make its inputs:
//   Backward backward(gradients, wanted) const   wanted(i): of the i-th differentiable tensor
// Its results are the gradients of the differentiable tensors, in the order of their visit. The
// inputs of a Backward say `kOf`, the operator whose gradients they give.
#pragma once

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <functional>
#include <memory>

#include "lavo/operators/arguments.h"

namespace lavo {

using Wanted = std::function<bool(size_t)>;

template <class In>
concept Differentiable = requires {
  typename In::Backward;
};
template <class In>
inline constexpr bool has_derivative = Differentiable<In>;

/// Through the dispatcher.
template <class In>
Results call_operator(const In& in) {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(In::kOperator, "");
  StackWriter writer;
  In::visit(in, writer);
  op.callBoxed(&writer.stack);
  Results results;
  for (const c10::IValue& x : writer.stack) results.push_back(StackReader::tensor_of(x));
  return results;
}

/// The gradients of a call, from what it was called with.
template <class In>
class GradientNode final : public torch::autograd::Node {
 public:
  explicit GradientNode(const In& in) : options_(in) {
    for_each_tensor(options_, [&](const char*, at::Tensor& x, unsigned) {
      saved_.emplace_back(std::exchange(x, {}), /*is_output=*/false);
    });
  }
  std::string name() const override { return std::string(In::kOperator) + " backward"; }
  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto& x : saved_) x.reset_data();
  }
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    bool none = true;
    for (const at::Tensor& x : gradients) none = none && !x.defined();
    if (none) return torch::autograd::variable_list(num_outputs());
    const std::lock_guard<std::mutex> lock(mutex_);
    In in = options_;
    auto saved = saved_.begin();
    for_each_tensor(in, [&](const char*, at::Tensor& x, unsigned) { x = (saved++)->unpack(); });
    return call_operator(
        in.backward(gradients, [&](size_t i) { return task_should_compute_output(i); }));
  }

 private:
  In options_;  ///< its tensors are in saved_
  std::vector<torch::autograd::SavedVariable> saved_;
};

/// In place of the gradients of gradients.
class NoSecondDerivative final : public torch::autograd::Node {
 public:
  explicit NoSecondDerivative(const char* op) : op_(op) {}
  torch::autograd::variable_list apply(torch::autograd::variable_list&&) override {
    TORCH_CHECK(false, op_, " has no second derivative: it has first ones, by grad and vjp");
  }

 private:
  const char* op_;
};

template <class In>
std::shared_ptr<torch::autograd::Node> derivative_of(const In& in) {
  using torch::autograd::Node;
  if constexpr (has_derivative<In>) {
    return std::shared_ptr<Node>(new GradientNode<In>(in), torch::autograd::deleteNode);
  } else {
    return std::shared_ptr<Node>(new NoSecondDerivative(In::kOf), torch::autograd::deleteNode);
  }
}

/// The operator below autograd, and the node of its derivative where one may be asked for.
template <class In>
Results with_derivative(const In& in) {
  torch::autograd::variable_list differentiable;
  bool wanted = false;
  for_each_tensor(in, [&](const char*, const at::Tensor& x, unsigned use) {
    if (x.defined()) {
      TORCH_CHECK(!x._fw_grad(/*level=*/0).defined(), In::kOperator,
                  " has no forward-mode derivative (jvp): it has first ones, by grad and vjp");
    }
    if (!(use & Use::kDifferentiable)) return;
    wanted = wanted || (x.defined() && x.requires_grad());
    differentiable.push_back(x);
  });
  std::shared_ptr<torch::autograd::Node> node;
  if (wanted && at::GradMode::is_enabled()) {
    node = derivative_of(in);
    node->set_next_edges(torch::autograd::collect_next_edges(differentiable));
  }
  Results results;
  {
    const at::AutoDispatchBelowADInplaceOrView guard;
    results = call_operator(in);
  }
  for (const at::Tensor& x : results) {
    if (node && x.defined()) torch::autograd::set_history(x, node);
  }
  return results;
}

}  // namespace lavo
