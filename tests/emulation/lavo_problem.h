// SPDX-License-Identifier: MIT
// Problems for LAVO's kernels and what the right answers are, in float64 and by plain loops.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lavo/kernels/cuda/lavo/call.h"
#include "tests/emulation/kernel_tensor.h"

namespace lavo::cuda::test {

/// Tensors as (batch, heads, length, width) whatever the layout on the device; values are such that
/// the shape's element type holds them exactly.
struct LavoProblem {
  LavoShape shape;
  bool heads_inside = false;  ///< [b, n, h, d] on the device instead of [b, h, n, d]
  bool own_bases = false;     ///< bases for each head
  bool padded = false;        ///< some keys are padding
  bool weighted = false;      ///< factors other than the 1/2 of the paper
  bool tokens_only = false;   ///< gradients of bases and bias are not wanted
  Vector q{}, k{}, v{}, y{}, key_bases{}, value_bases{}, bias{}, weights{}, output_gradient{};
  std::vector<bool> real{};  ///< (batch, length)

  /// Everything random with a clear mean (values 1.5): with zero means the softmax over the memory
  /// is so near to uniform that a wrong one would pass.
  void fill(unsigned seed);
  std::string name() const;
};

struct LavoAnswer {
  Vector output;
  Vector magnitude;  ///< sum of the absolute terms of each output: what rounding is relative to
  Vector q, k, v, y, key_bases, value_bases, bias,
      weights;  ///< gradients, summed as the kernels do
};

LavoAnswer solve(const LavoProblem& problem);

}  // namespace lavo::cuda::test
