// SPDX-License-Identifier: MIT
// The contract: every attention mechanism is a Mechanism, and nothing outside this page is asked of
// it.
//
// Shape letters, used in names (query_BHTD), formulas and messages:
//   B batch   H heads   G heads of keys and values   T queries   S keys   D key width   E value
//   width M features (performer) or model width (layer)   R memory rows   W window
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lavo/core/entry.h"

namespace lavo {

using torch::Tensor;

struct Shape {
  int64_t B = 1, H = 1, T = 1, S = 1, D = 1, E = 1;
  int64_t element_bytes = 4;  ///< of one number of the inputs; only costs depend on it

  double compute_bytes() const {
    return static_cast<double>(element_bytes < 4 ? 4 : element_bytes);
  }
  double query_bytes() const { return static_cast<double>(element_bytes * B * H * T * D); }
  double input_bytes() const {
    return query_bytes() + static_cast<double>(element_bytes * B * H * S * (D + E));
  }
  double output_bytes() const { return static_cast<double>(element_bytes * B * H * T * E); }
  double traffic_bytes() const { return input_bytes() + output_bytes(); }
};

/// What a layer hands to a mechanism that projects the layer's own input (only LAVO's context
/// memory does).
struct LayerContext {
  Tensor tokens_BSM;        ///< the layer's input on the side of the keys
  Tensor key_weight_HMD;    ///< its key projection, a head each, without bias
  Tensor value_weight_HME;  ///< its value projection
};

struct Inputs {
  Tensor query;  ///< [B, H, T, D]
  Tensor key;    ///< [B, G, S, D], G a divisor of H: each serves H / G query heads, one by one
  Tensor value;  ///< [B, G, S, E]
  bool causal = false;
  bool cross = false;    ///< keys from another sequence; also true when T != S outside streaming
  Tensor key_mask = {};  ///< [B, S] bool, true = real; undefined = all real
  std::optional<LayerContext> context = {};
  /// [documents + 1] integers from 0 to T, rising: where documents that are packed into the
  /// sequence begin, and its end. None sees another: all state starts afresh at their edges.
  /// Undefined: one document.
  Tensor cu_seqlens = {};

  Shape shape() const;
  bool is_cross() const { return cross || query.size(2) != key.size(2); }
  Pattern pattern() const;
};

/// What a causal mechanism carries from one piece of a sequence to the next. Any cutting gives the
/// same outputs.
struct State {
  virtual ~State() = default;
  virtual std::vector<Tensor> tensors() const = 0;
  int64_t bytes() const;  ///< held now, over batch and heads
  int64_t position = 0;   ///< tokens seen, padding included
};

/// What a call costs, by counting; for plans and roofline fractions.
struct Cost {
  double flop = 0;          ///< multiply and add count as two
  double bytes = 0;         ///< unavoidable traffic: inputs read once, outputs written once
  double memory_bytes = 0;  ///< predicted peak above inputs, without gradients
  double backward_memory_bytes =
      0;                   ///< the same for forward and backward, above inputs and grad_output
  double state_bytes = 0;  ///< streaming state after S tokens; 0 without one
};

class Mechanism : public torch::nn::Module {
 public:
  /// [B, H, T, E] in the type of the query. Any length from 1. Throws ShapeError where shapes or
  /// types disagree and where the pattern is refused. Sums are kept in float32 or wider. A padded
  /// key has no influence whatever it holds; a query without a visible key gets zeros. Keys and
  /// values of fewer heads are copied for each query head; packed documents are called one by one.
  Tensor forward(const Inputs& in);

  /// The next piece of a causal sequence (T = S tokens). The state is advanced.
  Tensor forward(const Inputs& in, State& state);

  /// The named query rows by the formula, in float64, [B, H, rows, E]. Shares no code with
  /// forward(). Differentiable where query, key or value requires a gradient.
  Tensor reference(const Inputs& in, const std::vector<int64_t>& rows);

  /// An empty state. Throws OptionError with the reason where the mechanism, or these options, have
  /// none.
  virtual std::unique_ptr<State> new_state() const = 0;

  virtual Patterns patterns() const = 0;
  virtual Cost cost(const Shape& shape, bool causal) const = 0;
  virtual std::string kind() const = 0;  ///< the name in the table

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
  /// Called with checked inputs whose padded keys, values and context rows are already zero.
  /// `state` is null outside streaming.
  virtual Tensor attend(const Inputs& in, State* state) = 0;
  /// Called with checked inputs, all floating tensors (parameters too) to be read as float64.
  virtual Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) = 0;
  /// More than shapes: what only this mechanism asks (E = D, a length limit).
  virtual void check(const Inputs& /*in*/, const State* /*state*/) const {}

  Implementation implementation() const { return implementation_; }

 private:
  void check_inputs(const Inputs& in, const State* state) const;
  Tensor attend_either(const Inputs& in, State* state);
  Tensor attend_rows_packed(const Inputs& in, const std::vector<int64_t>& rows);

  Implementation implementation_ = Implementation::kFused;
  bool fused_call_ = false;
};

/// x with zeros in the hidden tokens, [B, S] true = real. Not a product: a padded NaN must vanish
/// too.
Tensor hide_rows(const Tensor& x, const Tensor& mask_BS, int64_t length_dim);

/// float32 for float16 and bfloat16, the type itself otherwise: what sums and exponentials are
/// computed in.
torch::ScalarType compute_type(torch::ScalarType type);
inline Tensor to_compute(const Tensor& x) { return x.to(compute_type(x.scalar_type())); }

/// How many tokens of `bytes_per_token` make a tile that stays in cache: a power of two from 64 to
/// 4096 tokens (on a GPU, which wants fewer and larger calls, to 65536), at least `multiple_of` and
/// a multiple of it.
int64_t tile_length(double bytes_per_token, int64_t multiple_of = 1,
                    torch::Device device = torch::kCPU);

/// Collects pieces [.., t, E] along the length: written into one tensor, or concatenated when
/// gradients are wanted.
class Pieces {
 public:
  Pieces(int64_t length, int64_t dim = 2) : length_(length), dim_(dim) {}
  void add(const Tensor& piece);
  Tensor result();

 private:
  int64_t length_, dim_, written_ = 0;
  Tensor whole_;
  std::vector<Tensor> parts_;
};

/// M has kName, kTitle, kCitation, kEqualWidths, kHasState, kFused, supported() and M(Options,
/// Setting, Generator); M::Options has visit(), validate(owner) and resolve(Setting), which fills
/// what is unset.
template <class M>
Entry row() {
  using Options = typename M::Options;
  const std::string name = M::kName;
  Entry entry{.name = name,
              .title = M::kTitle,
              .citation = M::kCitation,
              .patterns = M::supported(),
              .options = list_options<Options>(),
              .equal_widths = M::kEqualWidths,
              .has_state = M::kHasState,
              .fused = M::kFused,
              .resolve = {},
              .create = {}};
  if constexpr (requires { M::kComposed; }) entry.composed = M::kComposed;
  if constexpr (requires { M::kNaive; }) entry.naive = M::kNaive;
  if constexpr (requires { M::kOwnPositions; }) entry.own_positions = M::kOwnPositions;
  if constexpr (requires { M::kSoftmax; }) entry.softmax = M::kSoftmax;
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
    auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
    return std::make_shared<M>(read(given), setting, generator);
  };
  return entry;
}

}  // namespace lavo
