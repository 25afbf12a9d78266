// SPDX-License-Identifier: MIT
// The contract: every attention mechanism is a Mechanism, and nothing outside this page and those
// of its inputs (inputs.h) and its state (state.h) is asked of it.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lavo/core/inputs.h"
#include "lavo/core/random.h"
#include "lavo/core/state.h"

namespace lavo {

/// What a call costs, by counting; for plans and roofline fractions.
struct Cost {
  double flop = 0;          ///< multiply and add count as two
  double bytes = 0;         ///< unavoidable traffic: inputs read once, outputs written once
  double memory_bytes = 0;  ///< predicted peak above inputs, without gradients
  /// The same for forward and backward, above inputs and grad_output.
  double backward_memory_bytes = 0;
  double state_bytes = 0;  ///< streaming state after S tokens; 0 without one
};

/// Of a call that need not exist yet: what decides which kernel takes it.
struct CallFacts {
  Shape shape;
  Pattern pattern = Pattern::kCausalSelf;
  torch::ScalarType type = torch::kFloat32;
  torch::Device device = torch::kCPU;
  bool streaming = false;
};

/// A memory of rows that is read by a softmax, and one reading of it.
struct MemoryView {
  Tensor key_BHRD, value_BHRE;
  Tensor weight_BHR;  ///< sums to 1
};

class Mechanism : public torch::nn::Module {
 public:
  /// [B, H, T, E] in the type of the query. Any length from 1. Throws ShapeError where shapes,
  /// types or devices disagree, where a declared input is missing, and where the pattern is
  /// refused. Sums are kept in float32 or wider. A padded key has no influence whatever it holds; a
  /// query without a visible key gets zeros. What has fewer heads than the output is copied for
  /// each; packed documents are called one by one.
  Tensor forward(const Inputs& in);

  /// The next piece of a causal sequence (T = S tokens). The state is advanced, and cut from the
  /// history of gradients.
  Tensor forward(const Inputs& in, State& state);

  /// The named query rows by the formula, in float64, [B, H, rows, E]. Shares no code with
  /// forward(). Differentiable where an input requires a gradient.
  Tensor reference(const Inputs& in, const std::vector<int64_t>& rows);

  virtual std::string kind() const = 0;  ///< the name in the table

  /// What it takes with these options beside query, key and value.
  virtual std::vector<InputSpec> inputs() const { return {}; }
  /// What it refuses with these options.
  virtual Patterns patterns() const = 0;
  virtual Cost cost(const Shape& shape, Pattern pattern) const = 0;
  /// An empty state. Throws OptionError with the reason where the mechanism, or these options, have
  /// none.
  virtual std::unique_ptr<State> new_state() const = 0;

  /// Why no fused kernel takes the call; empty where one does.
  virtual std::string not_fused(const CallFacts&) const { return "it has no fused form"; }

  /// Tokens of the longest sequence that it takes.
  virtual int64_t longest() const { return std::numeric_limits<int64_t>::max(); }
  /// Tokens of its blocks, at whose edges outputs are to be checked.
  virtual int64_t block() const { return 16; }
  /// The first output that NaN or infinity at token t may reach in a causal call that is composed:
  /// weights of 0 are multiplied there in blocks. (A fused kernel lets it reach none before t.)
  virtual int64_t first_not_finite(int64_t t) const { return t / 64 * 64; }
  /// Whether the state grows with the tokens seen.
  virtual bool state_grows() const { return false; }
  /// Whether State::merge works.
  virtual bool state_merges() const { return false; }
  /// True for a published form in which an output sees later tokens.
  virtual bool leaks_future() const { return false; }
  /// False where the published gradient leaves out a term on purpose.
  virtual bool has_full_gradient() const { return true; }
  /// Whether it wants queries, or keys, of length 1.
  virtual bool unit_queries() const { return false; }
  virtual bool unit_keys() const { return false; }

  /// The memory as query `row` reads it; nothing where there is none of this form.
  virtual std::optional<MemoryView> inspect(const Inputs& /*in*/, int64_t /*row*/) { return {}; }

  /// Whether this matrix may be one for all heads [.., ..] or one a head [H, .., ..], whichever is
  /// given.
  virtual bool one_or_per_head(const std::string& /*tensor*/) const { return false; }

  /// Goes on as after so many forward passes in training mode, for what changes with their number.
  virtual void resume_training(int64_t /*forwards*/) {}

  /// From now on. kFused, the default, is composed where no fused kernel covers the call; kNaive is
  /// composed where the mechanism has no such form.
  void use(Implementation implementation) { implementation_ = implementation; }

  /// Whether the last call ran on a fused kernel; records say which was measured.
  virtual bool is_fused() const { return fused_call_; }

 protected:
  /// The result of a fused kernel; undefined where none covers the call. Called with checked inputs
  /// whose padding is as it was given.
  virtual Tensor attend_fused(const Inputs& /*in*/, State* /*state*/) { return {}; }
  /// Called with checked inputs whose padding is zero, or neutral. `state` is null outside
  /// streaming.
  virtual Tensor attend(const Inputs& in, State* state) = 0;
  /// Called with checked inputs, all floating tensors (parameters too) to be read as float64.
  virtual Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) = 0;
  /// More than shapes: what only this mechanism asks (E = D, a length limit).
  virtual void check(const Inputs& /*in*/, const State* /*state*/) const {}

  Implementation implementation() const { return implementation_; }

 private:
  void check_call(const Inputs& in, const State* state) const;
  Tensor attend_either(const Inputs& in, State* state);
  Tensor attend_rows_packed(const Inputs& in, const std::vector<int64_t>& rows);

  Implementation implementation_ = Implementation::kFused;
  bool fused_call_ = false;
};

/// What every mechanism of the table says in the same words. M has kName and supported(); where its
/// options decide more, it overrides patterns().
template <class M, class Base = Mechanism>
class MechanismOf : public Base {
 public:
  std::string kind() const override { return M::kName; }
  Patterns patterns() const override { return M::supported(); }
};

/// M has kName, kTitle, kCitation, kGroup, supported() and M(Options, Setting, Generator);
/// M::Options has visit(), validate() and resolve(Setting), which fills what is unset. What else it
/// may say stands in Facts; own_layer(), where there is one, is Entry::layer.
template <class M>
Entry row() {
  using Options = typename M::Options;
  const std::string name = M::kName;
  Entry entry{.name = name,
              .title = M::kTitle,
              .citation = M::kCitation,
              .group = M::kGroup,
              .patterns = M::supported(),
              .options = list_options<Options>(),
              .facts = {},
              .resolve = {},
              .create = {}};
  if constexpr (requires { M::kFacts; }) entry.facts = M::kFacts;
  if constexpr (requires { M::own_layer(); }) entry.layer = M::own_layer();
  const auto read = [name](const json& given) {
    Options options = read_options<Options>(name, given);
    options.validate();
    return options;
  };
  entry.resolve = [read](const json& given, const Setting& setting) {
    Options options = read(given);
    options.resolve(setting);
    return write_options(options);
  };
  entry.create = [read](const json& given, const Setting& setting, uint64_t seed) {
    auto generator = make_generator(seed);
    Options options = read(given);
    options.resolve(setting);
    return std::make_shared<M>(options, setting, generator);
  };
  return entry;
}

}  // namespace lavo
