// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/experiment.h"

namespace lavo {

struct RecallAxes {
  int64_t task = 0;  ///< in the table of tasks
  std::string mechanism = "lavo";
  int64_t pairs = 64, keys = 1024, values = 256;
  int64_t half = 64, head_dim = 64;
  int64_t steps = 400, batch = 16;
  double learning_rate = 3e-3;
  int64_t test_batches = 16;
  int64_t seed = 0;
  int64_t threads = 1;
  std::string device = "cpu";

  void visit(OptionVisitor& v);
};

/// Trains one bare layer of a mechanism to say the value that came with a key, and scores it on
/// fresh sequences. README.md has the rules.
class Recall final : public Experiment {
 public:
  std::string name() const override { return "recall"; }
  std::string purpose() const override {
    return "Trains one bare layer to recall the values that came with keys, and counts how many it "
           "gets right";
  }
  int spec_version() const override { return 1; }
  std::vector<OptionInfo> axes() const override { return list_options<RecallAxes>(); }
  json resolve(const json& given) const override;
  std::string refused(const json& axes) const override;
  Prediction predict(const json& axes, const json& limits) const override;
  std::string width_axis() const override { return "head_dim"; }
  StateUse state_use(const json& axes) const override;
  std::string data_digest(const json& axes, const std::string& corpus) const override;
  bool runs_alone() const override { return false; }
  Outcome run(const Case& cell) const override;
};

}  // namespace lavo
