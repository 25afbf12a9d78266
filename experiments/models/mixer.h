// SPDX-License-Identifier: MIT
// What mixes the tokens of a sequence inside a block of a model. A mechanism of the table with its
// projections is one; what projects in its own way is another.
#pragma once

#include "experiments/models/layer.h"

namespace lavo {

struct MixerInput {
  Tensor x_BTM;
  Tensor key_mask = {};    ///< [B, S] true = real token of the keys' side; undefined: all are
  Tensor memory_BSM = {};  ///< the keys' side of a cross mixer; undefined otherwise
  Tensor query_mask = {};  ///< [B, T] of x beside a memory; undefined: all are real

  const Tensor& keys() const { return memory_BSM.defined() ? memory_BSM : x_BTM; }
};

/// x [B, T, M] -> [B, T, M]. A padded token has no influence on the outputs of others.
class Mixer : public torch::nn::Module {
 public:
  /// `state` makes x the next piece of a causal sequence, and is advanced.
  virtual Tensor forward(const MixerInput& in, State* state) = 0;
  Tensor forward(const MixerInput& in) { return forward(in, nullptr); }

  /// The same by its formulas, in float64. Shares no code with forward().
  virtual Tensor reference(const MixerInput& in) = 0;

  /// An empty state. Throws OptionError with the reason where there is none.
  virtual std::unique_ptr<State> new_state() const = 0;

  /// Of a call with so many sequences, tokens of x and tokens of the keys' side.
  virtual Cost cost(int64_t batch, int64_t tokens, int64_t keys) const = 0;
};

/// A mixer by its name with its options, as a block of a model lists it.
struct MixerChoice {
  std::string name = "vanilla";
  json options = json::object();
};

/// A mixer that is no mechanism of the table. A list of mixers may name it; experiments whose axes
/// name a mechanism do not.
struct MixerEntry {
  std::string name, title, citation;
  std::vector<OptionInfo> options;
  std::function<std::shared_ptr<Mixer>(const json& options, const LayerOptions&, at::Generator&)>
      create;
};

/// Every mechanism of the table is a mixer already; these stand beside them. Throws OptionError
/// where the name is taken.
void add_mixer(MixerEntry entry);
const std::vector<MixerEntry>& added_mixers();

/// Throws OptionError with the nearest name.
std::shared_ptr<Mixer> make_mixer(const MixerChoice& choice, const LayerOptions& layer,
                                  at::Generator& generator);

}  // namespace lavo
