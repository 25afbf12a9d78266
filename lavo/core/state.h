// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lavo/core/inputs.h"

namespace lavo {

/// What a causal mechanism carries from one piece of a sequence to the next. Any cutting gives the
/// same outputs.
class State {
 public:
  using Named = std::vector<std::pair<std::string, Tensor>>;

  virtual ~State() = default;
  /// What it holds, by names that files know: `initial_state` and "_key" after it, or alone where
  /// the name is "". Empty before the first piece.
  virtual Named named() const = 0;
  /// Puts `x` in the place of one of them, also before the first piece. False where there is none
  /// of that name.
  virtual bool assign(const std::string& name, const Tensor& x) = 0;
  /// Whether gradients follow that tensor: not where it only keeps numbers in range.
  virtual bool has_gradient(const std::string& /*name*/) const { return true; }
  /// Whether what it holds means nothing without the position.
  virtual bool needs_position() const { return false; }
  /// The dimension along which that tensor has as many tokens as it happens to hold; -1: none.
  virtual int64_t token_dim(const std::string& /*name*/) const { return -1; }
  /// Makes it the state after both pieces, where `next` is that of the piece behind this one: begun
  /// empty at this one's position. Throws Error where it is not associative.
  virtual void merge(const State& next);
  /// Cuts the history of gradients; done after every piece.
  virtual void detach() {}

  std::vector<Tensor> tensors() const;
  int64_t bytes() const;  ///< held now, over batch and heads
  bool requires_grad() const;

  int64_t position = 0;  ///< tokens seen, padding included
};

/// A state of tensors that have names and no further meaning of their own.
class NamedState : public State {
 public:
  explicit NamedState(std::vector<std::string> names);
  Named named() const override;
  bool assign(const std::string& name, const Tensor& x) override;
  void detach() override;

  Tensor& operator[](const std::string& name);
  /// What `state` holds by that name; zeros before the first piece, and where it is null.
  static Tensor or_zeros(NamedState* state, const std::string& name, at::IntArrayRef sizes,
                         const torch::TensorOptions& options);
  /// Whether a piece has been seen, or a tensor given.
  bool is_empty() const;

 private:
  Named held_;
};

}  // namespace lavo
