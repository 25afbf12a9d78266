// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/models/task.h"
#include "experiments/state_tracking/automata.h"

namespace lavo {

struct Sequences {
  Tensor tokens, states;  ///< [rows, length] int64; the state after each token
};

/// Sequence r of a seed is a function of both alone, whatever the other rows.
Sequences draw_sequences(const Automaton& automaton, uint64_t seed, int64_t first_row, int64_t rows,
                         int64_t length);

struct StateScoring {
  uint64_t seed = 0;
  int64_t sequences = 256;            ///< of each length
  std::vector<int64_t> lengths = {};  ///< the first is that of training
};

/// Over all tokens of some sequences.
struct StateScore {
  double accuracy = 0;
  double bits = 0;  ///< mean cross entropy a token
};

/// The state of an automaton after every token: batches and scores are drawn from seeds, training
/// and test from streams of their own.
class StateTask final : public Task {
 public:
  using Logits = std::function<Tensor(const Tensor& tokens)>;  ///< [rows, length, states]

  StateTask(const Automaton& automaton, StateScoring scoring);

  std::string digest() const override;
  std::unique_ptr<BatchSource> batches(const BatchOptions& options, torch::Device device,
                                       int64_t first) const override;
  Outcome scores(Model& model, const Progress& progress) const override;

  /// Of anything that says something of every token.
  StateScore score(const Logits& logits, int64_t length) const;

 private:
  const Automaton& automaton_;
  StateScoring scoring_;
};

}  // namespace lavo
