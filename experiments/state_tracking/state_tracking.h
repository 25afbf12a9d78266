// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/experiment.h"
#include "experiments/models/model_axes.h"

namespace lavo {

struct StateTrackingAxes : ModelAxes {
  int64_t task = 0;  ///< in the table of automata
  int64_t test_sequences = 256;
  int64_t test_factor = 8;

  StateTrackingAxes();
  void visit(OptionVisitor& v);
  /// Scored at these: 1, 2, 4, ... test_factor times the context.
  std::vector<int64_t> lengths() const;
};

/// Trains a small causal model to say the state of an automaton after every token, and scores it on
/// sequences of the training length and longer ones. README.md has the rules.
class StateTracking final : public Experiment {
 public:
  std::string name() const override { return "state_tracking"; }
  std::string purpose() const override {
    return "Trains a small model to track the state of an automaton (parity), and scores it at its "
           "training length and beyond";
  }
  int spec_version() const override { return 1; }
  std::vector<OptionInfo> axes() const override { return list_options<StateTrackingAxes>(); }
  json resolve(const json& given) const override;
  std::string refused(const json& axes) const override;
  Prediction predict(const json& axes, const json& limits) const override;
  std::string width_axis() const override { return "width"; }
  StateUse state_use(const json& axes) const override;
  std::string data_digest(const json& axes, const std::string& corpus) const override;
  bool runs_alone() const override { return false; }
  Outcome run(const Case& cell) const override;
};

}  // namespace lavo
