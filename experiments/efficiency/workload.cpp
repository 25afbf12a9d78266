// SPDX-License-Identifier: MIT
#include "experiments/efficiency/workload.h"

#include <algorithm>

#include "lavo/core/pieces.h"

namespace lavo {
namespace {

class Forward final : public Workload {
 public:
  using Workload::Workload;

  Tensor output() override {
    torch::NoGradGuard no_grad;
    return mechanism_->forward(in_);
  }
  TimedCall timed() override {
    return {.run = [this] { output(); }};
  }
};

class ForwardBackward final : public Workload {
 public:
  ForwardBackward(std::shared_ptr<Mechanism> mechanism, const Inputs& in)
      : Workload(std::move(mechanism), in) {
    in_ = in.leaves();
    const Shape s = in.shape();
    grad_output_ = torch::ones({s.B, s.H, s.T, s.E}, in.query.options());
  }

  Tensor output() override {
    torch::NoGradGuard no_grad;
    return mechanism_->forward(in_);
  }
  TimedCall timed() override {
    return {.run = [this] { mechanism_->forward(in_).backward(grad_output_); },
            .before =
                [this] {
                  in_.each([](Tensor& x) { x.mutable_grad() = Tensor(); });
                  for (Tensor& x : mechanism_->parameters()) x.mutable_grad() = Tensor();
                }};
  }

 private:
  Tensor grad_output_;
};

class Decode final : public Workload {
 public:
  using Workload::Workload;

  int64_t tokens_per_call() const override { return decode_tokens(length()); }
  int64_t state_bytes() const override { return state_bytes_; }

  Tensor output() override {
    torch::NoGradGuard no_grad;
    Pieces pieces(length());
    restart(length() - tokens_per_call(), &pieces);
    state_bytes_ = state_->bytes();
    while (state_->position < length()) {
      pieces.add(step());
      state_bytes_ = std::max(state_bytes_, state_->bytes());
    }
    return pieces.result();
  }
  TimedCall timed() override {
    // Positions stay below `length`, and within a sixteenth of it.
    const int64_t tokens = tokens_per_call();
    const int64_t reach = std::max<int64_t>(1, length() / 16 / tokens) * tokens;
    return {.run =
                [this, tokens] {
                  torch::NoGradGuard no_grad;
                  for (int64_t i = 0; i < tokens; ++i) step();
                },
            .before =
                [this, tokens, reach] {
                  torch::NoGradGuard no_grad;
                  if (!state_ || state_->position + tokens > length()) {
                    restart(length() - reach, nullptr);
                  }
                }};
  }

 private:
  int64_t length() const { return in_.query.size(2); }

  void restart(int64_t position, Pieces* outputs) {
    state_ = mechanism_->new_state();
    if (position == 0) return;
    const Tensor output = mechanism_->forward(in_.narrow(0, position), *state_);
    if (outputs) outputs->add(output);
  }
  Tensor step() { return mechanism_->forward(in_.narrow(state_->position, 1), *state_); }

  std::unique_ptr<State> state_;
  int64_t state_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Workload> forward_workload(std::shared_ptr<Mechanism> mechanism, const Inputs& in) {
  return std::make_unique<Forward>(std::move(mechanism), in);
}

std::unique_ptr<Workload> backward_workload(std::shared_ptr<Mechanism> mechanism,
                                            const Inputs& in) {
  return std::make_unique<ForwardBackward>(std::move(mechanism), in);
}

std::unique_ptr<Workload> decode_workload(std::shared_ptr<Mechanism> mechanism, const Inputs& in) {
  return std::make_unique<Decode>(std::move(mechanism), in);
}

}  // namespace lavo
