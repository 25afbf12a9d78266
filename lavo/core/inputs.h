// SPDX-License-Identifier: MIT
// What a call is given: query, key and value, and whatever else a mechanism declares (gates,
// decays, slots), all of which can be walked without knowing their names.
//
// Shape letters, used in names (query_BHTD), declarations, formulas and messages:
//   B batch         H heads of the output        G heads of keys and values
//   T queries       S keys                       D key width         E value width
//   M features, slots, or model width (layer)    L levels
//   R memory rows   W window
#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lavo/core/entry.h"

namespace lavo {

using torch::Tensor;

struct Inputs;

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

/// How a layer makes an input from its own input x [B, T, M].
struct LayerRule {
  enum class Kind {
    kProjected,   ///< squash(x W^T + bias, scale), W of its own
    kLearned,     ///< squash(p, scale), a parameter p
    kLayerInput,  ///< x itself, on the side of the keys
    kKeyWeight,   ///< the layer's projections of keys and of values, [H, M, D] and [H, M, E]
    kValueWeight,
    kDerived,  ///< what `join` makes of the others
  };
  using Start = std::function<Tensor(at::IntArrayRef sizes, at::Generator&)>;

  Kind kind = Kind::kProjected;
  int64_t rank = 0;                                                           ///< of W; 0: full
  std::function<Tensor(const Tensor& raw, const Tensor& scale)> squash = {};  ///< unset: raw
  Start start = {};  ///< of the bias, or of p; unset: zeros
  Start scale = {};  ///< of a learned scale [H], broadcast over raw; unset: there is none
  /// Last: what it is together with query, key, value and the inputs declared before it; `squashed`
  /// is undefined where it is derived.
  std::function<Tensor(const Tensor& squashed, const Inputs& so_far)> join = {};

  /// In the layer of the mechanism's own paper, after that: what else it changes of the query, key
  /// and value. `learned` is a parameter [H, D], where own_start says how it starts.
  using Own = std::function<void(const Tensor& squashed, const Tensor& scale, const Tensor& learned,
                                 Inputs& so_far)>;
  Own own = {};
  Start own_start = {};
};

/// What a mechanism takes beside query, key and value: for each token (its letters hold T or S), or
/// a parameter of each head.
struct InputSpec {
  std::string name;       ///< "log_decay"
  std::string letters;    ///< of its shape: "BHSD", "BHS", "BHTL", "HD"
  std::string meaning;    ///< for `list`
  double neutral = 0;     ///< at a padded token: it then does nothing
  LayerRule::Start draw;  ///< random values in a realistic range, for tests and experiments
  LayerRule layer = {};
  std::string count_option = {};  ///< the option that says M or L where no tensor does
  /// Values at the edges of its range, which tests put into tokens: -30, where nothing is left.
  std::vector<double> extremes = {};

  bool is_per_token() const { return letters.find_first_of("TS") != std::string::npos; }
};

/// Uniform in [low, high).
LayerRule::Start uniform(double low, double high);
/// N(0, 1).
LayerRule::Start normal();
/// All the same.
LayerRule::Start constant(double value);

/// A declared input as given, with the letters of its dimensions.
struct Given {
  Tensor tensor;
  std::string letters;
};

struct Inputs {
  Tensor query;  ///< [B, H, T, D]
  Tensor key;    ///< [B, G, S, D], G a divisor of H: each serves H / G query heads, one by one
  Tensor value;  ///< [B, G, S, E]; or in c H heads: each query and key head serves c of them, one
                 ///< by one, and output and state have c H heads
  bool causal = false;
  bool cross = false;    ///< keys from another sequence; also true when T != S outside streaming
  Tensor key_mask = {};  ///< [B, S] bool, true = real; undefined = all real
  std::map<std::string, Given> extra = {};  ///< what the mechanism declares, by its name
  /// [documents + 1] integers from 0 to T, rising: where documents that are packed into the
  /// sequence begin, and its end. None sees another: all state starts afresh at their edges.
  /// Undefined: one document.
  Tensor cu_seqlens = {};

  Shape shape() const;  ///< H: the heads of the output
  bool is_cross() const { return cross || query.size(2) != key.size(2); }
  Pattern pattern() const;

  /// A declared input. Undefined where it is not given.
  Tensor operator[](const std::string& name) const;
  void set(const InputSpec& spec, const Tensor& x) { extra[spec.name] = {x, spec.letters}; }

  /// f(name, tensor, letters) for query, key, value and every extra, in this order; f may replace
  /// the tensor.
  void each(const std::function<void(const std::string&, Tensor&, const std::string&)>& f);
  void each(const std::function<void(Tensor&)>& f);

  /// Tokens t, t + 1, ... t + count - 1 of self attention: views of all that has tokens.
  Inputs narrow(int64_t t, int64_t count) const;
  /// The same, floating tensors in this type; masks stay as they are.
  Inputs to(torch::ScalarType type) const;
  Inputs to(torch::Device device) const;
  /// Copies, all of which want a gradient.
  Inputs leaves() const;
  bool requires_grad() const;
};

/// x with `fill` in the hidden tokens, [B, S] true = real. Not a product: a padded NaN must vanish
/// too.
Tensor hide_rows(const Tensor& x, const Tensor& mask_BS, int64_t length_dim, double fill = 0);

/// The dimension along the tokens: 2 of "BHSD"; -1 where there is none.
int64_t token_dim(const std::string& letters);

/// Zeros in padded keys and values, neutral values in what else is per key.
Inputs hide_padding(Inputs in, const std::vector<InputSpec>& specs);

/// Everything with a head for each of the output's.
Inputs with_all_heads(Inputs in);

/// Throws ShapeError, begun by `owner`, where shapes, types or devices do not go together, and
/// where an input is missing or was not declared.
void check_inputs(const Inputs& in, const std::vector<InputSpec>& specs, const std::string& owner);

/// The documents of packed inputs in their order, each as a sequence of its own: views, cut once.
/// Throws ShapeError, begun by `owner`, where cu_seqlens does not divide the tokens, or attention
/// is cross.
std::vector<Inputs> documents(const std::string& owner, const Inputs& in);

/// float32 for float16 and bfloat16, the type itself otherwise: what sums and exponentials are
/// computed in.
torch::ScalarType compute_type(torch::ScalarType type);
inline Tensor to_compute(const Tensor& x) { return x.to(compute_type(x.scalar_type())); }

std::string sizes_text(const Tensor& x);  ///< "[2, 3, 17, 8]", "nothing"

}  // namespace lavo
