// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/experiment.h"
#include "experiments/place.h"

namespace lavo {

enum class Measure { kOutput, kRunningMean, kSoftmax };

struct NumericsAxes {
  Measure measure = Measure::kOutput;
  std::string mechanism = "lavo";
  int64_t length = 65536;
  NumberType dtype = NumberType::kFloat32;
  bool causal = true;
  int64_t batch = 1;
  int64_t heads = 1;
  int64_t head_dim = 64;
  double scale = 1;
  std::optional<double> mean;
  int64_t seed = 0;
  std::string device = "cpu";
  std::optional<int64_t> threads;

  void visit(OptionVisitor& v);
};

/// How far rounding and approximation carry a result away.
///
/// measure = output: the mechanism in `dtype` against its float64 reference on the same rounded
/// inputs, at positions 1, 2, 4, ... length: worst_error and, over position, the series `error`.
/// measure = running_mean: the same for the mean that LAVO's memory keeps, alone.
/// measure = softmax: softmax_error, the distance in Frobenius norm of all outputs from exact
/// softmax attention in float64, relative to it; seeds give other inputs and other random features.
class Numerics final : public Experiment {
 public:
  std::string name() const override { return "numerics"; }
  std::string purpose() const override {
    return "Rounding errors over length and type, and the distance of an approximation from exact "
           "softmax attention";
  }
  int spec_version() const override { return 1; }
  std::vector<OptionInfo> axes() const override { return list_options<NumericsAxes>(); }
  json resolve(const json& given) const override;
  std::string meaningless(const json& axes) const override;
  std::string refused(const json& axes) const override;
  Prediction predict(const json& axes, const json& limits) const override;
  std::string width_axis() const override { return "head_dim"; }
  StateUse state_use(const json& axes) const override;
  bool runs_alone() const override { return false; }
  Outcome run(const Case& cell) const override;
};

}  // namespace lavo
