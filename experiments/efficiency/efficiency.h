// SPDX-License-Identifier: MIT
#pragma once

#include "baselines/table.h"
#include "experiments/experiment.h"
#include "experiments/place.h"

namespace lavo {

enum class Pass { kForward, kForwardBackward, kDecode };

struct EfficiencyAxes {
  std::string mechanism = "lavo";
  int64_t length = 1024;
  Pass pass = Pass::kForward;
  bool causal = true;
  bool cross = false;
  NumberType dtype = NumberType::kFloat32;
  int64_t batch = 1;
  int64_t heads = 4;
  int64_t head_dim = 64;
  std::optional<Implementation> implementation;
  std::string device = "cpu";
  std::optional<int64_t> threads;

  void visit(OptionVisitor& v);
  /// The use that options are resolved for and parameters are sized by.
  Setting setting() const;
  Shape shape() const;
};

/// Time, exact memory and cost of one mechanism at one length.
///
/// pass = forward, forward_backward (the gradients of all inputs and parameters for a given
/// gradient of the output) or decode (one token at a time near position `length` of a stream).
/// Metrics: time (ms; of a token in decode), peak_memory above inputs (above grad_output too),
/// allocations, flop and bytes by count, their shares of what this machine reaches, state_bytes in
/// decode, worst_error. A result is checked against the mechanism's float64 reference before a
/// clock is started; a wrong one ends the cell as `wrong`.
class Efficiency final : public Experiment {
 public:
  using Make = decltype(&make_mechanism);
  /// `make` is a seam for tests, which plant mechanisms that are wrong.
  explicit Efficiency(Make make = &make_mechanism) : make_(make) {}

  std::string name() const override { return "efficiency"; }
  std::string purpose() const override {
    return "Time, exact peak memory and state of one mechanism at one length, checked before it "
           "is timed";
  }
  int spec_version() const override { return 1; }
  std::vector<OptionInfo> axes() const override { return list_options<EfficiencyAxes>(); }
  json resolve(const json& given) const override;
  std::string meaningless(const json& axes) const override;
  std::string refused(const json& axes) const override;
  Prediction predict(const json& axes, const json& limits) const override;
  std::string width_axis() const override { return "head_dim"; }
  StateUse state_use(const json& axes) const override;
  int blocks(const json& limits) const override { return limits.value("blocks", 3); }
  Outcome run(const Case& cell) const override;

 private:
  Make make_;
};

}  // namespace lavo
