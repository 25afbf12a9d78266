// SPDX-License-Identifier: MIT
// The calls that `efficiency` checks, measures and times, one class for each pass.
#pragma once

#include <functional>
#include <memory>

#include "experiments/efficiency/correctness.h"
#include "experiments/harness/measure/timer.h"

namespace lavo {

class Workload {
 public:
  Workload(std::shared_ptr<Mechanism> mechanism, Inputs in)
      : mechanism_(std::move(mechanism)), in_(std::move(in)) {}
  virtual ~Workload() = default;

  /// The output of the whole sequence, made as the timed calls make it.
  virtual Tensor output() = 0;
  /// What is timed.
  virtual TimedCall timed() = 0;
  /// Tokens that one timed call handles of which the time is given for one; 1 where the time is
  /// that of the whole call.
  virtual int64_t tokens_per_call() const { return 1; }
  /// The most that the streaming state held at the end of output(): a window empties at its edge.
  virtual int64_t state_bytes() const { return 0; }

  Mechanism& mechanism() { return *mechanism_; }
  const Inputs& inputs() const { return in_; }

 protected:
  std::shared_ptr<Mechanism> mechanism_;
  Inputs in_;
};

std::unique_ptr<Workload> forward_workload(std::shared_ptr<Mechanism> mechanism, const Inputs& in);

/// The backward starts from a gradient of the output that is made before and counts as an input.
std::unique_ptr<Workload> backward_workload(std::shared_ptr<Mechanism> mechanism, const Inputs& in);

/// Streams all but the last few tokens untimed, then those one at a time.
std::unique_ptr<Workload> decode_workload(std::shared_ptr<Mechanism> mechanism, const Inputs& in);

/// Tokens that `decode` runs in one timed call: enough to see every place in a common window.
inline int64_t decode_tokens(int64_t length) { return std::min<int64_t>(16, length); }

}  // namespace lavo
